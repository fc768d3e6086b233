using RepNoise.Kernels.Cpu;

namespace RepNoise.Kernels.Tests.Traffic;

/// <summary>The model of traffic against numbers worked out by hand, in floats; planning contexts, so that nothing runs.</summary>
public sealed unsafe class TrafficModelTests
{
    private const long Mebi = 1 << 20;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_store_counts_twice_and_a_load_once(int threads)
    {
        View x = Shape(1, 100, 64), y = Shape(2, 100, 64), z = Shape(3, 100, 64), u = Shape(4, 100, 64), v = Shape(5, 100, 64);
        const double N = 100 * 64;
        AssertFloats(2 * N, threads, Mebi, context => new Elementwise<Lanes128>(context).Fill(x, 1));
        AssertFloats(3 * N, threads, Mebi, context => new Elementwise<Lanes128>(context).Copy(x, y));
        AssertFloats(3 * N, threads, Mebi, context => new Elementwise<Lanes128>(context).AddScaled(x, y, 1));
        AssertFloats(4 * N, threads, Mebi, context => new Swiglu<Lanes128>(context).Forward(x, y, z));
        AssertFloats(7 * N, threads, Mebi, context => new Swiglu<Lanes128>(context).Backward(x, y, z, u, v));
        AssertFloats(5 * N, threads, Mebi, context => new Swiglu<Lanes128>(context).Backward(x, y, z, x, y)); // in place
        AssertFloats(7 * N, threads, Mebi, context => new AdamW<Lanes128>(context).Run(x, default, y, z, u, default, 1));
        AssertFloats(9 * N, threads, Mebi, context => new AdamW<Lanes128>(context).Run(x, v, y, z, u, default, 1));
        AssertFloats(3 * N, threads, Mebi, context => new Embedding<Lanes128>(context).Gather(x, y, null));
    }

    /// <summary>dOutput, x, rstd and weight are read; dX, dWeight and 7 runs' sums are written, which other threads than their own read again.</summary>
    [Theory]
    [InlineData(1, Mebi, 0)]
    [InlineData(1, 1 << 10, 7 * 64)]
    [InlineData(2, Mebi, 7 * 64)]
    public void Sums_of_runs_count_again_unless_they_stayed(int threads, long cache, int again)
    {
        View dX = Shape(1, 100, 64), dOutput = Shape(2, 100, 64), x = Shape(3, 100, 64), weight = Shape(4, 1, 64), rstd = Shape(5, 100, 1);
        AssertFloats(2 * 6400 + 100 + 64 + 2 * (6400 + 64 + 7 * 64) + again, threads, cache,
            context => new Norm<Lanes128>(context).Backward(dX, weight, dOutput, x, weight, rstd, false));
    }

    /// <summary>
    /// 1400 x 512 x 512 in tiles of 14 x 32, one block of K: 14 strips of 14 rows pass 100 Ki floats, so 8 row blocks of 13 strips (the last of
    /// 9). A is read once and packed into 13 strips and 16 floats; 16 strips of B are packed once, 512 x 512, and read 8 times, because
    /// these, a row block and its part of C are more than 1 MiB.
    /// </summary>
    [Fact]
    public void A_product_reads_packed_B_once_a_row_block()
    {
        Assert.SkipUnless(System.Runtime.Intrinsics.Vector512.IsHardwareAccelerated, "tiles of 512 bits");
        double a = 1400 * 512, b = 512 * 512, c = 1400 * 512, packedRows = 13 * 14 * 512 + 16;
        AssertFloats(a + 2 * packedRows + b + 2 * b + 8 * b + 2 * c, 1, Mebi,
            context => new Matmul<Lanes512, MatmulTile<Lanes512>>(context).Run(Shape(1, 1400, 512), Shape(2, 1400, 512), Shape(3, 512, 512), MatmulForm.NN, false, default));
    }

    /// <summary>A product of 64 x 2048 x 512 keeps A: each of two threads packs all of it, and each strip of B into one place of its own.</summary>
    [Fact]
    public void A_product_of_few_rows_streams_B()
    {
        Assert.SkipUnless(System.Runtime.Intrinsics.Vector512.IsHardwareAccelerated, "tiles of 512 bits");
        double a = 64 * 512, b = 512 * 2048, c = 64 * 2048, packedA = 5 * 13 * 512 + 16, strip = 32 * 512;
        AssertFloats(2 * a + 2 * 2 * packedA + b + 2 * 2 * strip + 2 * c, 2, 2 * Mebi,
            context => new Matmul<Lanes512, MatmulTile<Lanes512>>(context).Run(Shape(1, 64, 2048), Shape(2, 64, 512), Shape(3, 2048, 512), MatmulForm.NT, false, default));
    }

    [Fact]
    public void Every_operation_of_the_cpu_device_tells_what_it_moves_and_only_to_who_wants_it()
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = 1 });
        var x = device.AllocateTensor(BufferKind.Compute, 8, 16, "test");
        var scalars = device.AllocateTensor(BufferKind.Scalar, 1, 2, "test");
        var one = scalars.Buffer is { } buffer ? Tensor.Of(buffer, 1, 1) : default;
        foreach (var run in (Action[])[
            () => device.Fill(x, 1), () => device.Upload(new float[128], x), () => device.Download(x, new float[128]), () => device.Fill(scalars, 1),
            () => device.AddSquaredNorm(one, x), () => device.ClipFactor(scalars, one, 1, 1), () => device.SumInto(one, x, 1, 0)])
        {
            var observer = new TrafficObserver();
            device.Observer = observer;
            run();
            Assert.True(observer.Bytes > 0);
        }
    }

    private static void AssertFloats(double floats, int threads, long cache, Action<CpuContext> run)
    {
        var observer = new TrafficObserver();
        using var context = new CpuContext(threads, _ => { }, isDry: true) { CacheBytes = cache, TrafficObserver = observer };
        run(context);
        Assert.Equal(floats, observer.Bytes / sizeof(float));
    }

    /// <summary>A matrix at an address that nobody reads.</summary>
    private static View Shape(long place, int rows, int columns) => new((float*)(place << 32), rows, columns, columns);
}
