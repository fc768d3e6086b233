// Statements as a reader would write them: what reports quote.
#pragma once

#include <string>

#include "syntax/ast.h"

namespace ptxsim {

std::string spell(const Statement& statement);

}  // namespace ptxsim
