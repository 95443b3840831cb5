// Prints docs/errors.md: print_reasons > docs/errors.md
#include <iostream>

#include "tools/print_reasons/reasons_markdown.h"

int main() { std::cout << countersign::ReasonsMarkdown(); }
