// Barriers of a cluster and addresses in its other blocks (PTX ISA, section 9.7.12.3, and mapa in 9.7.8). The barriers are executed by whole warps: lanes
// wait for the others of their warp, and stand at one instruction with them.
#include "exec/cluster.h"
#include "exec/ops/lanes.h"

namespace ptxsim {
namespace {

// mode 1: .relaxed, which makes nothing known.
void arrive(Warp& w, const Instruction& i) {
  if (!w.gather(AllLanes, "barrier.cluster.arrive")) return;
  if (w.awaitsCluster)
    throw Fault{FaultKind::Barrier, "barrier.cluster.arrive a second time, with no barrier.cluster.wait between", std::countr_zero(w.active)};
  w.awaitsCluster = true;
  w.clusterArrivals++;
  if (i.mode == 1) return;
  w.block->publish();
  join(w.block->cluster->released[w.clusterArrivals & 1], w.past);
  w.tick();
}

void wait(Warp& w, const Instruction&) {
  if (!w.gather(AllLanes, "barrier.cluster.wait")) return;
  if (!w.awaitsCluster) throw Fault{FaultKind::Barrier, "barrier.cluster.wait without a barrier.cluster.arrive before it", std::countr_zero(w.active)};
  // All that have not ended must have arrived as often.
  for (const auto* block : w.block->cluster->blocks)
    for (const auto& warp : block->warps)
      if (warp.live != 0 && warp.clusterArrivals < w.clusterArrivals) {
        w.next = w.pc;  // again, once others have run
        w.yields = true;
        return;
      }

  w.awaitsCluster = false;
  w.learn(w.block->cluster->released[w.clusterArrivals & 1]);
  w.block->look();
}

template <typename T>
void map(Warp& w, const Instruction& i) {
  auto *d = w.slot<T>(i.at[0]), *address = w.slot<T>(i.at[1]);
  auto* rank = w.slot<uint32_t>(i.at[2]);
  forLanes(w, [&](int lane) { d[lane] = mapped(w, address[lane], rank[lane], lane); });
}

}  // namespace

Handler clusterHandler(const Shape& s) {
  if (s.form->opcode == "mapa") return s.type() == Type::U64 ? &map<uint64_t> : &map<uint32_t>;
  if (s.form->opcode != "barrier" || !s.has(".cluster")) return nullptr;
  return s.has(".arrive") ? &arrive : &wait;
}

}  // namespace ptxsim
