using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Algorithms.RadixSortOperations;
using ILGPU.Algorithms.ScanReduceOperations;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Doubles = ILGPU.Runtime.ArrayView1D<double, ILGPU.Stride1D.Dense>;
using Floats = ILGPU.Runtime.ArrayView1D<float, ILGPU.Stride1D.Dense>;
using Halves = ILGPU.Runtime.ArrayView1D<ILGPU.Half, ILGPU.Stride1D.Dense>;
using Integers = ILGPU.Runtime.ArrayView1D<int, ILGPU.Stride1D.Dense>;
using Longs = ILGPU.Runtime.ArrayView1D<long, ILGPU.Stride1D.Dense>;

namespace RepNoise.Ilgpu.Tests;

/// <summary>ILGPU's kernels and algorithms through its CUDA accelerator on the stand-in give what the CPU computes, in every mode.</summary>
public sealed class StandInTests
{
    public static TheoryData<string> Modes => new(StandInAccelerator.Modes.Keys);

    /// <summary>
    /// Without "O2, calls", in which ILGPU 1.5.3 takes the elements of a view for local memory because the view itself lies there: its scan then
    /// reads a global address by ld.local, which faults here as on a GPU. Its radix sort it compiles with inlining alone.
    /// </summary>
    public static TheoryData<string> ModesOfScans => new(StandInAccelerator.Modes.Keys.Where(mode => mode != "O2, calls"));

    [Theory]
    [MemberData(nameof(Modes))]
    public void Elementwise(string mode)
    {
        using var accelerator = StandInAccelerator.Create(mode);
        float[] a = Random(10007, 1), b = Random(10007, 2);
        using var x = accelerator.Allocate1D(a);
        using var y = accelerator.Allocate1D(b);
        using var sum = accelerator.Allocate1D<float>(a.Length);
        accelerator.LoadAutoGroupedStreamKernel<Index1D, Floats, Floats, Floats>(StandInKernels.Add)(a.Length, x.View, y.View, sum.View);
        accelerator.Synchronize();
        Assert.Equal(a.Zip(b, (p, q) => p + q), sum.GetAsArray1D());
        accelerator.LoadStreamKernel<Floats, Floats, float, int>(StandInKernels.ScaledAdd)((13, 192), x.View, y.View, 1.7f, a.Length);
        accelerator.LoadAutoGroupedStreamKernel<Index1D, Floats, Floats>(StandInKernels.Functions)(a.Length, x.View, sum.View);
        accelerator.Synchronize();
        Close(1e-6, y.GetAsArray1D(), a.Zip(b, (p, q) => 1.7 * p + q));
        Close(2e-6, sum.GetAsArray1D(), a.Select(v => Math.Exp(v) + Math.Tanh(v) + Math.Log(v + 2) + 1 / Math.Sqrt(v + 2) + Math.Sin(v) +
            Math.Cos(v) + Math.Floor(v * 5f) + Math.Abs(v) + Math.Min(v, 0.25) + Math.Pow(v + 2, 1.5)));
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Matrix_products(string mode)
    {
        using var accelerator = StandInAccelerator.Create(mode);
        Product(StandInKernels.ProductStatic, 64, StandInKernels.Tile, StandInKernels.Tile, null);
        Product(StandInKernels.ProductDynamic, 64, StandInKernels.Tile, StandInKernels.Tile, 2 * StandInKernels.Tile * StandInKernels.Tile);
        Product(StandInKernels.RegistersStatic, 128, StandInKernels.BlockRows, 8, null);
        Product(StandInKernels.RegistersDynamic, 128, StandInKernels.BlockRows, 8, 2 * StandInKernels.BlockRows * StandInKernels.BlockDepth);

        void Product(Action<Floats, Floats, Floats, int> kernel, int n, int rows, int threads, int? dynamic)
        {
            float[] a = Random(n * n, 1), b = Random(n * n, 2);
            var expected = new double[n * n];
            for (int i = 0; i < n * n; i++)
            {
                for (int k = 0; k < n; k++) expected[i] += (double)a[i / n * n + k] * b[k * n + i % n];
            }

            using var x = accelerator.Allocate1D(a);
            using var y = accelerator.Allocate1D(b);
            using var c = accelerator.Allocate1D<float>(n * n);
            Index3D grid = new(n / rows, n / rows, 1), block = new(threads, threads, 1);
            var config = dynamic is { } count ? new KernelConfig(grid, block, SharedMemoryConfig.RequestDynamic<float>(count)) : new KernelConfig(grid, block);
            accelerator.LoadStreamKernel(kernel)(config, x.View, y.View, c.View, n);
            accelerator.Synchronize();
            Close(1e-5, c.GetAsArray1D(), expected);
        }
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Reductions_and_scans_of_a_group(string mode)
    {
        const int Rows = 9, Columns = 333;
        using var accelerator = StandInAccelerator.Create(mode);
        float[] values = Random(Rows * Columns, 1);
        int[] numbers = Numbers(Rows * Columns);
        using var x = accelerator.Allocate1D(values);
        using var y = accelerator.Allocate1D(numbers);
        using var sums = accelerator.Allocate1D<float>(Rows);
        using var maxima = accelerator.Allocate1D<int>(Rows);
        var sum = accelerator.LoadStreamKernel<Floats, Floats, int>(StandInKernels.RowSums);
        foreach (int threads in (int[])[32, 96, 256])
        {
            sum((Rows, threads), x.View, sums.View, Columns);
            accelerator.Synchronize();
            Close(1e-5, sums.GetAsArray1D(), values.Chunk(Columns).Select(row => row.Sum(v => (double)v)));
        }

        accelerator.LoadStreamKernel<Integers, Integers, int>(StandInKernels.RowMaxima)((Rows, 128), y.View, maxima.View, Columns);
        accelerator.Reduce<float, AddFloat>(accelerator.DefaultStream, x.View, sums.View.SubView(0, 1));
        accelerator.Synchronize();
        Assert.Equal(numbers.Chunk(Columns).Select(row => row.Max()), maxima.GetAsArray1D());
        Close(1e-4, [sums.GetAsArray1D()[0]], [values.Sum(v => (double)v)]);
        using var scanned = accelerator.Allocate1D<int>(128);
        accelerator.LoadStreamKernel<Integers, Integers>(StandInKernels.GroupScan)((1, 128), y.View, scanned.View);
        accelerator.Synchronize();
        Assert.Equal(Enumerable.Range(1, 128).Select(count => numbers.Take(count).Aggregate(0, (all, n) => unchecked(all + n))), scanned.GetAsArray1D());
    }

    [Theory]
    [MemberData(nameof(ModesOfScans))]
    public void Scans(string mode)
    {
        const int Count = 1500;
        using var accelerator = StandInAccelerator.Create(mode);
        int[] numbers = Numbers(Count), expected = new int[Count];
        for (int i = 0, sum = 0; i < Count; i++) expected[i] = sum = unchecked(sum + numbers[i]);
        using var x = accelerator.Allocate1D(numbers);
        using var sums = accelerator.Allocate1D<int>(Count);
        using var scratch = accelerator.Allocate1D<int>(accelerator.ComputeScanTempStorageSize<int>(Count));
        foreach (var kind in (ScanKind[])[ScanKind.Inclusive, ScanKind.Exclusive])
        {
            accelerator.CreateScan<int, Stride1D.Dense, Stride1D.Dense, AddInt32>(kind)(accelerator.DefaultStream, x.View, sums.View, scratch.View.AsContiguous());
            accelerator.Synchronize();
            Assert.Equal(kind == ScanKind.Inclusive ? expected : expected.Select((sum, i) => unchecked(sum - numbers[i])), sums.GetAsArray1D());
        }
    }

    [Theory]
    [InlineData("debug, inlined")]
    [InlineData("O2, inlined")]
    public void Radix_sort(string mode)
    {
        const int Count = 1500;
        using var accelerator = StandInAccelerator.Create(mode);
        int[] numbers = Numbers(Count);
        using var x = accelerator.Allocate1D(numbers);
        using var scratch = accelerator.Allocate1D<int>(accelerator.ComputeRadixSortTempStorageSize<int, AscendingInt32>(Count));
        accelerator.CreateRadixSort<int, Stride1D.Dense, AscendingInt32>()(accelerator.DefaultStream, x.View, scratch.View.AsContiguous());
        accelerator.Synchronize();
        Assert.Equal(numbers.Order(), x.GetAsArray1D());
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Warps_and_barriers(string mode)
    {
        const int Rows = 7, Columns = 300;
        using var accelerator = StandInAccelerator.Create(mode);
        int[] numbers = Numbers(64);
        using var x = accelerator.Allocate1D(numbers);
        using var results = accelerator.Allocate1D<int>(64 * 5);
        accelerator.LoadStreamKernel<Integers, Integers>(StandInKernels.Shuffles)((1, 64), x.View, results.View);
        accelerator.Synchronize();
        int[] found = results.GetAsArray1D();
        for (int thread = 0; thread < 64; thread++)
        {
            int lane = thread % 32, first = thread - lane;
            int[] expected =
            [
                numbers[first + 5], lane < 3 ? numbers[thread] : numbers[thread - 3], lane > 29 ? numbers[thread] : numbers[thread + 2],
                numbers[first + (lane ^ 9)], numbers[first + lane / 8 * 8 + 1],
            ];
            Assert.Equal(expected, found.Skip(thread * 5).Take(5));
        }

        accelerator.LoadStreamKernel<Integers>(StandInKernels.Barriers)((1, 96), results.View);
        accelerator.Synchronize();
        Assert.Equal([48, 1, 1, 0, 6], results.GetAsArray1D().Take(5));
        float[] values = Random(Rows * Columns, 3);
        using var v = accelerator.Allocate1D(values);
        using var shares = accelerator.Allocate1D<float>(values.Length);
        accelerator.LoadStreamKernel<Floats, Floats, int>(StandInKernels.Softmax)((Rows, 128), v.View, shares.View, Columns);
        accelerator.Synchronize();
        Close(1e-5, shares.GetAsArray1D(), values.Chunk(Columns).SelectMany(row => row.Select(w => Math.Exp(w) / row.Sum(u => Math.Exp(u)))));
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Atomics(string mode)
    {
        const int Count = 3000;
        using var accelerator = StandInAccelerator.Create(mode);
        int[] numbers = Numbers(Count);
        using var x = accelerator.Allocate1D(numbers);
        using var bins = accelerator.Allocate1D(new int[16]);
        using var results = accelerator.Allocate1D((int[])[int.MinValue, int.MaxValue, -1, 0, 0, 0, 0]);
        using var longs = accelerator.Allocate1D(new long[1]);
        using var sums = accelerator.Allocate1D(new double[1]);
        accelerator.LoadAutoGroupedStreamKernel<Index1D, Integers, Integers, Integers, Longs, Doubles>(StandInKernels.Atomics)(
            Count, x.View, bins.View, results.View, longs.View, sums.View);
        using var blocks = accelerator.Allocate1D<int>(Count / 100);
        accelerator.LoadStreamKernel<Integers, Integers>(StandInKernels.SharedAtomics)((Count / 100, 100), x.View, blocks.View);
        accelerator.Synchronize();
        Assert.Equal(Enumerable.Range(0, 16).Select(bin => numbers.Count(n => (n & 15) == bin)), bins.GetAsArray1D());
        Assert.Equal(
            [
                numbers.Max(), numbers.Min(), numbers.Aggregate(-1, (all, n) => all & (n | 255)), numbers.Aggregate(0, (all, n) => all | (n & 4095)),
                numbers.Aggregate(0, (all, n) => all ^ n), 7, 11,
            ],
            results.GetAsArray1D());
        Assert.Equal([numbers.Sum(n => (long)n << 20)], longs.GetAsArray1D());
        Assert.Equal([numbers.Sum(n => (double)(n & 1023))], sums.GetAsArray1D());
        Assert.Equal(numbers.Chunk(100).Select(block => block.Aggregate(0, (all, n) => unchecked(all + n))), blocks.GetAsArray1D());
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Formats(string mode)
    {
        const int Count = 500;
        using var accelerator = StandInAccelerator.Create(mode);
        var halves = Random(Count, 1).Select(v => (ILGPU.Half)v).ToArray();
        using var h = accelerator.Allocate1D(halves);
        using var doubled = accelerator.Allocate1D<float>(Count);
        accelerator.LoadAutoGroupedStreamKernel<Index1D, Halves, Floats>(StandInKernels.HalfPrecision)(Count, h.View, doubled.View);
        accelerator.Synchronize();
        Assert.Equal(halves.Select(v => (float)v * 2f), doubled.GetAsArray1D());
        Assert.Equal(halves.Select(v => (float)(System.Half)((float)v * 2f + 0.1f)), h.GetAsArray1D().Select(v => (float)v));

        var others = Random(Count, 2).Select(v => (ILGPU.Half)v).ToArray();
        using var left = accelerator.Allocate1D(halves);
        using var right = accelerator.Allocate1D(others);
        accelerator.LoadAutoGroupedStreamKernel<Index1D, Halves, Halves>(StandInKernels.HalfArithmetic)(Count, left.View, right.View);
        accelerator.Synchronize();
        // A product may be rounded on its own or with the sum.
        Close(2e-3, right.GetAsArray1D().Select(v => (float)v), halves.Zip(others, (a, b) => (double)(float)a * (float)a + 0.5 - (float)b));

        double[] reals = [.. Random(Count, 3).Select(v => (double)v + 2)];
        long[] longs = [.. Enumerable.Range(0, Count).Select(i => (i - 250) * 123456789L)];
        using var x = accelerator.Allocate1D(reals);
        using var y = accelerator.Allocate1D(longs);
        accelerator.LoadAutoGroupedStreamKernel<Index1D, Doubles, Longs>(StandInKernels.DoublePrecision)(Count, x.View, y.View);
        accelerator.Synchronize();
        Close(1e-12, x.GetAsArray1D(), reals.Zip(longs, (r, l) => Math.Sqrt(r) / 3.0 + l));
        Assert.Equal(longs.Zip(x.GetAsArray1D(), (l, r) => l * 7L / 3L % 1000003L - (long)r), y.GetAsArray1D());

        sbyte[] signed = [.. Enumerable.Range(0, 256).Select(i => (sbyte)i)];
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(i => (byte)(i * 3))];
        using var a = accelerator.Allocate1D(signed);
        using var b = accelerator.Allocate1D(bytes);
        using var sums = accelerator.Allocate1D<int>(256);
        accelerator.LoadAutoGroupedStreamKernel<Index1D, ArrayView1D<sbyte, Stride1D.Dense>, ArrayView1D<byte, Stride1D.Dense>, Integers>(
            StandInKernels.SmallIntegers)(256, a.View, b.View, sums.View);
        accelerator.Synchronize();
        Assert.Equal(signed.Zip(bytes, (p, q) => p * 3 + q), sums.GetAsArray1D());
        Assert.Equal(signed.Select(p => unchecked((sbyte)(p + 100))), a.GetAsArray1D());
        Assert.Equal(bytes.Select(q => unchecked((byte)(q * 5))), b.GetAsArray1D());
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Control_flow_and_calls(string mode)
    {
        const int Count = 600;
        using var accelerator = StandInAccelerator.Create(mode);
        float[] values = Random(Count, 1);
        using var numbers = accelerator.Allocate1D<int>(Count);
        using var x = accelerator.Allocate1D(values);
        using var y = accelerator.Allocate1D<float>(Count);
        accelerator.LoadAutoGroupedStreamKernel<Index1D, Integers>(StandInKernels.Switches)(Count, numbers.View);
        accelerator.LoadAutoGroupedStreamKernel<Index1D, Floats, Floats>(StandInKernels.Calls)(Count, x.View, y.View);
        accelerator.Synchronize();
        Assert.Equal(Enumerable.Range(0, Count).Select(StandInKernels.Chosen), numbers.GetAsArray1D());
        Close(1e-6, y.GetAsArray1D(), values.Select(v => (double)(StandInKernels.Polynomial(v, 9) + StandInKernels.Polynomial(v * 2f, 5))));
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Inline_tensor_core_product(string mode)
    {
        using var accelerator = StandInAccelerator.Create(mode);
        ushort[] brains = [.. Random(192 * 2, 1).Select(v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16))];
        int[] words = [.. Enumerable.Range(0, 192).Select(i => brains[2 * i] | brains[2 * i + 1] << 16)];
        using var x = accelerator.Allocate1D(words);
        using var results = accelerator.Allocate1D<float>(128);
        accelerator.LoadStreamKernel<Integers, Floats>(StandInKernels.InlineMma)((1, 32), x.View, results.View);
        accelerator.Synchronize();
        Close(1e-5, results.GetAsArray1D(), Enumerable.Range(0, 128).Select(i =>
        {
            int lane = i / 4, row = lane / 4 + i % 4 / 2 * 8, column = lane % 4 * 2 + i % 2;
            return Enumerable.Range(0, 16).Sum(k => Value((row & 7) * 4 + k % 8 / 2 + 32 * (row / 8 + 2 * (k / 8)), k % 2) *
                Value(column * 4 + k % 8 / 2 + 128 + 32 * (k / 8), k % 2));
        }));

        double Value(int word, int half) => BitConverter.UInt32BitsToSingle((uint)brains[2 * word + half] << 16);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Streams_and_pinned_memory(string mode)
    {
        using var accelerator = StandInAccelerator.Create(mode);
        using var stream = accelerator.CreateStream();
        using var pinned = accelerator.AllocatePageLocked1D<float>(1024);
        using var x = accelerator.Allocate1D<float>(1024);
        for (int i = 0; i < 1024; i++) pinned[i] = i;
        using var begin = stream.AddProfilingMarker();
        x.View.CopyFromPageLockedAsync(stream, pinned);
        using var end = stream.AddProfilingMarker();
        stream.Synchronize();
        Assert.True(end - begin >= TimeSpan.Zero);
        Assert.Equal(Enumerable.Range(0, 1024).Select(i => (float)i), x.GetAsArray1D());
    }

    /// <summary>What ILGPU's exception says of a kernel with a mistake: the report, in place of a number.</summary>
    [Theory]
    [InlineData("MissingBarrier", "no barrier between")]
    [InlineData("OffByOne", "past the end of")]
    [InlineData("PartialBarrier", "divergent")]
    [InlineData("Unwritten", "nothing has written")]
    public void Mistakes_are_reported(string kernel, string expected)
    {
        foreach (string mode in StandInAccelerator.Modes.Keys)
        {
            var accelerator = StandInAccelerator.Create(mode);
            var x = accelerator.Allocate1D(Random(128, 1));
            var y = accelerator.Allocate1D<float>(128);
            var error = Assert.ThrowsAny<Exception>(() =>
            {
                switch (kernel)
                {
                    case "MissingBarrier": accelerator.LoadStreamKernel<Floats, Floats>(StandInKernels.MissingBarrier)((1, 128), x.View, y.View); break;
                    case "OffByOne": accelerator.LoadStreamKernel<Floats, int>(StandInKernels.OffByOne)((2, 128), x.View, 128); break;
                    case "PartialBarrier": accelerator.LoadStreamKernel<Floats>(StandInKernels.PartialBarrier)((1, 64), y.View); break;
                    default: accelerator.LoadStreamKernel<Floats>(StandInKernels.Unwritten)((1, 64), y.View); break;
                }

                accelerator.Synchronize();
            }).GetBaseException();
            StandInAccelerator.Abandon(accelerator);
            Assert.IsType<CudaException>(error);
            Assert.Contains(expected, error.Message, StringComparison.Ordinal);
            Assert.Contains($"kernel 'Kernel_{kernel}", error.Message, StringComparison.Ordinal);
            Assert.Contains("at PTX line", error.Message, StringComparison.Ordinal);
            Assert.Contains("thread (", error.Message, StringComparison.Ordinal);
        }
    }

    private static float[] Random(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
    }

    private static int[] Numbers(int count) => [.. Enumerable.Range(0, count).Select(i => unchecked((int)((uint)i * 2654435761u) >> 12))];

    private static void Close(double tolerance, IEnumerable<float> found, IEnumerable<double> expected) =>
        Close(tolerance, found.Select(v => (double)v), expected);

    private static void Close(double tolerance, IEnumerable<double> found, IEnumerable<double> expected)
    {
        foreach (var (place, (value, wanted)) in found.Zip(expected).Index())
            Assert.True(Math.Abs(value - wanted) <= tolerance * (1 + Math.Abs(wanted)), $"element {place}: found {value}, expected {wanted}");
    }
}
