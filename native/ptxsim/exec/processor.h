// Whether this processor has the instructions that the executor was compiled for: libraries travel, in caches and in images.
#pragma once

namespace ptxsim {

// One bit for each feature that the levels of the x86-64 ABI are told apart by, as this processor has them; all ones on other architectures.
unsigned processorFeatures();

// The first feature that `level` (x86-64, x86-64-v2, x86-64-v3 or x86-64-v4) asks for and `features` lacks; null where there is none.
const char* missingFeature(const char* level, unsigned features);

// Null, or why nothing of this program may run here and what to do about it. Compiled for every processor, as is all that calls it.
const char* refusalOfProcessor();

}  // namespace ptxsim
