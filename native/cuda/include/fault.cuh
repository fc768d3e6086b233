// How a kernel reports a number that is no row of anything: it writes the value into memory of the host, which looks there
// whenever it waits for the device. Layout of the host's struct FaultRecord.
#pragma once

#include "device.cuh"

struct FaultRecord {
  int value, limit, occurred;
};

// True for 0 <= value < limit; false, noted for the host, otherwise.
DEVICE bool is_within(int value, int limit, FaultRecord* fault) {
  if (value >= 0 && value < limit) return true;
  fault->value = value;
  fault->limit = limit;
  fault->occurred = 1;
  return false;
}
