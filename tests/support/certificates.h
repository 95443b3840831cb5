#pragma once
// Authorities and certificates for tests, made at run time by the openssl command in a folder that
// goes with the object.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/support/keys/keys.h"

namespace countersign::tests {

class Certificates {
 public:
  // NAME.pem and NAME.key; `subject` as "/CN=test authority".
  void MakeAuthority(const std::string& name, const std::string& subject) const {
    OpenSsl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj '" +
            subject + "' -keyout " + File(name + ".key") + " -out " + File(name + ".pem"));
  }

  // NAME.pem and NAME.key, signed by an authority; `alternatives` as "DNS:otp,IP:127.0.0.1".
  void MakeCertificate(const std::string& authority, const std::string& name,
                       const std::string& subject, const std::string& alternatives) const {
    OpenSsl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '" + subject +
            "' -keyout " + File(name + ".key") + " -out " + File(name + ".csr"));
    std::ofstream(File(name + ".ext")) << "subjectAltName=" << alternatives << "\n";
    OpenSsl("x509 -req -days 1 -CAcreateserial -in " + File(name + ".csr") + " -CA " +
            File(authority + ".pem") + " -CAkey " + File(authority + ".key") + " -extfile " +
            File(name + ".ext") + " -out " + File(name + ".pem"));
  }

  [[nodiscard]] std::string File(const std::string& name) const {
    return (folder_.path() / name).string();
  }

 private:
  static void OpenSsl(const std::string& arguments) {
    const std::string command = "openssl " + arguments + " >/dev/null 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }

  test::TemporaryFolder folder_;
};

}  // namespace countersign::tests
