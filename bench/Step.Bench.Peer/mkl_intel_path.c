/* Preloaded on AMD processors, where MKL would take a slower path than the processor allows. */
int mkl_serv_intel_cpu_true(void) { return 1; }
int mkl_serv_intel_cpu(void) { return 1; }
