# Run at every build: rewrites commit.h only when the commit changed, so nothing recompiles for it.
execute_process(
  COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE commit
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
# Sources without a checkout, as in an image's build: whoever made the copy may say what it is.
if(NOT commit AND "$ENV{COUNTERSIGN_COMMIT}" MATCHES "^[0-9a-f]+$")
  set(commit "$ENV{COUNTERSIGN_COMMIT}")
endif()
if(NOT commit)
  set(commit unknown)
endif()
file(WRITE ${OUT}.new "#pragma once\ninline constexpr char kCommit[] = \"${commit}\";\n")
file(COPY_FILE ${OUT}.new ${OUT} ONLY_IF_DIFFERENT)
