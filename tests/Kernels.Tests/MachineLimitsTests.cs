using RepNoise.Kernels.Cpu;

namespace RepNoise.Kernels.Tests;

/// <summary>Measured limits are plausible for any processor of these years; how high they are is the machine's business.</summary>
public sealed class MachineLimitsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Limits_are_of_a_plausible_size(int threads)
    {
        var limits = MachineLimits.Measure(threads);
        Assert.Equal(threads, limits.Threads);
        Assert.Contains(limits.VectorBits, new[] { 128, 256, 512 });

        // From a tenth of a small core to four times the fastest that two cores can do: 2 cores x 6 GHz x 2 units x 16 lanes x 2.
        Assert.InRange(limits.Gflops, 0.5, 3000);
        if (limits.TileGflops is { } tiles) Assert.InRange(tiles, 0.5, 30000);
        Assert.Equal(AmxCode.Missing is null, limits.TileGflops is not null);
        Assert.InRange(limits.TriadGigabytesPerSecond, 0.1, 2000);
        Assert.InRange(limits.StreamedTriadGigabytesPerSecond, 0.1, 2000);
        Assert.Equal(Math.Max(limits.TriadGigabytesPerSecond, limits.StreamedTriadGigabytesPerSecond), limits.GigabytesPerSecond);
    }

    [Fact]
    public unsafe void The_triad_computes_what_it_is_named_for()
    {
        const int Floats = 100_032;
        using var team = new ThreadTeam(2);
        Assert.True(NativePages.TryAllocate(3L * Floats * sizeof(float), out void* memory));
        try
        {
            foreach (bool streams in new[] { false, true })
            {
                float* a = (float*)memory;
                new Span<float>(a, Floats).Clear();
                for (int i = 0; i < Floats; i++) (a[Floats + i], a[2 * Floats + i]) = (i, 2 * i);
                var work = new TriadWork<Lanes128>(a, Floats, streams);
                team.Run(work, work.Parts);
                for (int i = 0; i < Floats; i++) Assert.Equal(7f * i, a[i]);
            }
        }
        finally
        {
            NativePages.Free(memory);
        }
    }

    [Fact]
    public unsafe void A_part_of_multiply_adds_ends_at_the_fixed_point_of_every_chain()
    {
        float sink = 0;
        new MultiplyAddWork<Lanes128>(&sink).Run(0, 0);
        float chains = sink / Lanes128.Width;
        Assert.Contains(chains, new[] { 12f, 24f });
    }

    [Fact]
    public void The_roof_that_takes_longer_is_the_limit()
    {
        var limits = new DeviceLimits(100, 10);
        Assert.Equal(2, limits.LeastSeconds(new OpCost(200e9, 10e9)));
        Assert.Equal(3, limits.LeastSeconds(new OpCost(200e9, 30e9)));
        Assert.True(limits.IsComputeBound(new OpCost(200e9, 10e9)));
        Assert.False(limits.IsComputeBound(new OpCost(200e9, 30e9)));
    }

    [Fact]
    public void Devices_measure_their_limits_with_their_own_threads()
    {
        using var cpu = Devices.Create("cpu", new DeviceOptions { Threads = 1 });
        Assert.Equal(1, Assert.IsType<MachineLimits>(cpu.MeasureLimits()).Threads);
        using var reference = Devices.Create("reference");
        Assert.Null(reference.MeasureLimits());
    }
}
