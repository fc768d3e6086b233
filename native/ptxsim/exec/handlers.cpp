#include "exec/handlers.h"

#include <stdexcept>
#include <string>

namespace ptxsim {

Handler handlerOf(const Shape& shape) {
  for (auto find : {bulkHandler, clusterHandler, warpgroupHandler, integerHandler, floatHandler, halfHandler, compareHandler, logicHandler, moveHandler, convertHandler,
                    memoryHandler, asyncHandler, controlHandler, exchangeHandler, matrixHandler})
    if (Handler handler = find(shape)) return handler;
  throw std::logic_error("no handler for " + std::string(shape.form->opcode) + " " + std::string(shape.form->modifiers));
}

}  // namespace ptxsim
