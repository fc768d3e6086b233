using System.Diagnostics;
using RepNoise.Host.Profiling;

namespace RepNoise.Host.Tests.Profiling;

/// <summary>The counter's plumbing on an event of the kernel's own, which virtual machines have too, and what refusals say.</summary>
public sealed class CacheMissCountersTests
{
    private const uint Software = 1;
    private const ulong TaskClock = 1; // nanoseconds: no count of pages, which an allocator may have touched before

    [Fact]
    public void Events_of_the_calling_thread_are_counted()
    {
        using var counters = CacheMissCounters.Open(Software, TaskClock, 1, out string reason);
        Assert.SkipWhen(counters is null, reason);
        long before = counters!.ReadBytes();
        var spent = Stopwatch.StartNew();
        while (counters.ReadBytes() - before < 1_000_000 && spent.Elapsed < TimeSpan.FromSeconds(10))
        {
        }

        long counted = counters.ReadBytes() - before;
        Assert.True(counted >= 1_000_000, $"{counted} ns were counted in {spent.Elapsed}");
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
