// Barriers in shared memory, and the bulk copies whose bytes they count (PTX ISA, sections 9.7.12.15 and 9.7.8.22.5).
#pragma once

#include <vector>

#include "exec/tensor_map.h"
#include "exec/warp.h"

namespace ptxsim {

inline constexpr const char* CopyName = "cp.async.bulk.tensor";

// The object at an address of a block: the warp's own or one of its cluster. Throws Fault where there is none, or none yet as far as the warp can know.
Mbarrier& mbarrierAt(Warp& warp, ThreadBlock& block, uint64_t address, int lane);

// One thread arrives: what its warp did before, whoever waits may rely on. Gives the phase that it arrives in.
uint64_t arriveAt(Warp& warp, Mbarrier& barrier, uint32_t count, bool drops, int lane);

// The phase waits for so many bytes more.
void expectBytes(Mbarrier& barrier, uint32_t bytes);

// A thread starts the copy of a box to one place in each of some blocks, which count it on their mbarriers at one address. Its bytes arrive once the
// phase is complete and the first warp of the block finds it so; until then they are poison.
void startCopy(Warp& warp, const std::vector<ThreadBlock*>& blocks, uint64_t barrier, const BulkCopy& copy);

// The warp has found a phase complete: the bytes of it are there, and what came before the arrivals is known to the warp.
void observe(Warp& warp, Mbarrier& barrier);

// Throws Fault where a block ends before its bulk copies have arrived.
void checkArrived(const ThreadBlock& block);

}  // namespace ptxsim
