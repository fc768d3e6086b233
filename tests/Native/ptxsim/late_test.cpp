// PTXSIM_LATE=1: asynchronous work runs as late as the API allows, so that a missing synchronisation shows.
#include <cstdlib>

#include "driver_api.h"

using check::DriverApi;

namespace {

struct Pipeline {
  DriverApi api;
  void *out = api.memory(128), *stream = api.stream(), *kernel = api.function(api.load(check::countingKernel()));
  uint32_t* pinned = nullptr;

  Pipeline() {
    void* place = nullptr;
    api.good(api.call("cuMemAllocHost_v2", &place, size_t{128}), "cuMemAllocHost");
    pinned = static_cast<uint32_t*>(place);
    pinned[31] = 0;
  }
  ~Pipeline() { api.call("cuMemFreeHost", static_cast<void*>(pinned)); }

  // A kernel that counts, then a copy of its result to pinned memory, both asynchronous.
  void start() {
    void* parameters[] = {&out, &out};
    api.good(api.launch(kernel, 1, 32, stream, parameters), "launch");
    api.good(api.call("cuMemcpyDtoHAsync_v2", static_cast<void*>(pinned), out, size_t{128}, stream), "copy");
  }
};

}  // namespace

CASE(without_a_synchronisation_the_result_is_not_there) {
  Pipeline pipeline;
  pipeline.start();
  check::equal(pipeline.pinned[31], 0u, "what the host sees too early");
  check::equal(pipeline.api.call("cuStreamQuery", pipeline.stream), 600, "cuStreamQuery");
}

CASE(a_stream_synchronisation_brings_it) {
  Pipeline pipeline;
  pipeline.start();
  pipeline.api.good(pipeline.api.call("cuStreamSynchronize", pipeline.stream), "synchronize");
  check::equal(pipeline.pinned[31], 32u, "the result");
}

CASE(another_streams_synchronisation_does_not) {
  Pipeline pipeline;
  pipeline.start();
  void* other = pipeline.api.stream();
  pipeline.api.good(pipeline.api.call("cuStreamSynchronize", other), "synchronize");
  check::equal(pipeline.pinned[31], 0u, "what the host sees too early");
  pipeline.api.good(pipeline.api.call("cuStreamSynchronize", pipeline.stream), "synchronize");
}

CASE(an_event_orders_two_streams) {
  Pipeline pipeline;
  auto& api = pipeline.api;
  pipeline.start();
  void *other = api.stream(), *event = nullptr;
  api.good(api.call("cuEventCreate", &event, 0u), "cuEventCreate");
  api.good(api.call("cuEventRecord", event, pipeline.stream), "cuEventRecord");
  api.good(api.call("cuStreamWaitEvent", other, event, 0u), "cuStreamWaitEvent");
  api.good(api.call("cuStreamSynchronize", other), "synchronize the stream that waits");
  check::equal(pipeline.pinned[31], 32u, "the result");
}

CASE(a_graph_is_late_as_its_launches_would_be) {
  Pipeline pipeline;
  auto& api = pipeline.api;
  void *graph = nullptr, *executable = nullptr;
  api.good(api.call("cuStreamBeginCapture_v2", pipeline.stream, 1), "cuStreamBeginCapture");
  pipeline.start();
  api.good(api.call("cuStreamEndCapture", pipeline.stream, &graph), "cuStreamEndCapture");
  api.good(api.call("cuGraphInstantiateWithFlags", &executable, graph, uint64_t{0}), "cuGraphInstantiateWithFlags");
  api.good(api.call("cuGraphLaunch", executable, pipeline.stream), "cuGraphLaunch");
  check::equal(pipeline.pinned[31], 0u, "what the host sees too early");
  api.good(api.call("cuStreamSynchronize", pipeline.stream), "synchronize");
  check::equal(pipeline.pinned[31], 32u, "the result");
}

int main(int argc, char** argv) {
  setenv("PTXSIM_LATE", "1", 1);
  return check::run(argc, argv);
}
