using RepNoise.Host.Profiling;

namespace RepNoise.Host.Tests.Profiling;

/// <summary>The counter's plumbing on an event of the kernel's own, which virtual machines have too, and what refusals say.</summary>
public sealed class CacheMissCountersTests
{
    private const uint Software = 1;
    private const ulong PageFaults = 2;

    [Fact]
    public unsafe void Events_of_the_calling_thread_are_counted()
    {
        using var counters = CacheMissCounters.Open(Software, PageFaults, 4096, out string reason);
        Assert.SkipWhen(counters is null, reason);
        long before = counters!.ReadBytes();
        const int Bytes = 8 << 20;
        byte* memory = (byte*)System.Runtime.InteropServices.NativeMemory.AlignedAlloc(Bytes, 4096);
        for (int i = 0; i < Bytes; i += 4096) memory[i] = 1;
        long counted = counters.ReadBytes() - before;
        System.Runtime.InteropServices.NativeMemory.AlignedFree(memory);
        Assert.True(counted >= 4096, $"{counted} bytes of new pages were counted");
    }

    [Fact]
    public void An_event_that_does_not_exist_is_refused_with_a_reason()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Linux only");
        Assert.Null(CacheMissCounters.Open(99, 0, 64, out string reason));
        Assert.NotEmpty(reason);
    }

    [Theory]
    [InlineData(2, "ENOENT, ")]
    [InlineData(13, "EACCES, kernel.perf_event_paranoid is ")]
    [InlineData(1, "EPERM, ")]
    [InlineData(38, "ENOSYS, ")]
    [InlineData(22, "error 22, Invalid argument")]
    public void A_refusal_names_the_error(int error, string expected) =>
        Assert.StartsWith(expected, CacheMissCounters.Reason(error), StringComparison.Ordinal);
}
