#pragma once
// Owners of libcurl's C handles; included by .cc files of libs/http only.
#include <curl/curl.h>

#include <memory>

namespace countersign::http {

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct FreeText {
  void operator()(char* text) const { curl_free(text); }
};
using EasyHandle = std::unique_ptr<CURL, FreeEasy>;
using MultiHandle = std::unique_ptr<CURLM, FreeMulti>;
using ListHandle = std::unique_ptr<curl_slist, FreeList>;
using UrlHandle = std::unique_ptr<CURLU, FreeUrl>;
using TextHandle = std::unique_ptr<char, FreeText>;

}  // namespace countersign::http
