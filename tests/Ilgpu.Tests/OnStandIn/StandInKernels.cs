using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Algorithms.ScanReduceOperations;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Doubles = ILGPU.Runtime.ArrayView1D<double, ILGPU.Stride1D.Dense>;
using Floats = ILGPU.Runtime.ArrayView1D<float, ILGPU.Stride1D.Dense>;
using Halves = ILGPU.Runtime.ArrayView1D<ILGPU.Half, ILGPU.Stride1D.Dense>;
using Integers = ILGPU.Runtime.ArrayView1D<int, ILGPU.Stride1D.Dense>;
using Longs = ILGPU.Runtime.ArrayView1D<long, ILGPU.Stride1D.Dense>;

namespace RepNoise.Ilgpu.Tests;

/// <summary>Kernels as people write them with ILGPU. Matrices are square, row-major, of <c>n</c> rows.</summary>
public static class StandInKernels
{
    public const int Tile = 16, BlockRows = 64, BlockDepth = 8, ThreadRows = 8;

    public static void Add(Index1D i, Floats a, Floats b, Floats sum) => sum[i] = a[i] + b[i];

    public static void ScaledAdd(Floats x, Floats y, float factor, int n)
    {
        for (int i = Grid.GlobalIndex.X; i < n; i += Grid.DimX * Group.DimX) y[i] = factor * x[i] + y[i];
    }

    public static void Functions(Index1D i, Floats x, Floats y)
    {
        float v = x[i];
        y[i] = XMath.Exp(v) + XMath.Tanh(v) + XMath.Log(v + 2f) + XMath.Rsqrt(v + 2f) + XMath.Sin(v) + XMath.Cos(v) + XMath.Floor(v * 5f) +
            XMath.Abs(v) + XMath.Min(v, 0.25f) + XMath.Pow(v + 2f, 1.5f);
    }

    public static void ProductStatic(Floats a, Floats b, Floats c, int n)
    {
        var tileA = SharedMemory.Allocate<float>(Tile * Tile);
        var tileB = SharedMemory.Allocate<float>(Tile * Tile);
        ProductOfTiles(a, b, c, n, tileA, tileB);
    }

    public static void ProductDynamic(Floats a, Floats b, Floats c, int n)
    {
        var shared = SharedMemory.GetDynamic<float>();
        ProductOfTiles(a, b, c, n, shared.SubView(0, Tile * Tile), shared.SubView(Tile * Tile, Tile * Tile));
    }

    private static void ProductOfTiles(Floats a, Floats b, Floats c, int n, ArrayView<float> tileA, ArrayView<float> tileB)
    {
        int x = Group.IdxX, y = Group.IdxY, column = Grid.IdxX * Tile + x, row = Grid.IdxY * Tile + y;
        float sum = 0;
        for (int t = 0; t < n / Tile; t++)
        {
            tileA[y * Tile + x] = a[row * n + t * Tile + x];
            tileB[y * Tile + x] = b[(t * Tile + y) * n + column];
            Group.Barrier();
            for (int k = 0; k < Tile; k++) sum += tileA[y * Tile + k] * tileB[k * Tile + x];
            Group.Barrier();
        }

        c[row * n + column] = sum;
    }

    public static void RegistersStatic(Floats a, Floats b, Floats c, int n)
    {
        var tileA = SharedMemory.Allocate<float>(BlockRows * BlockDepth);
        var tileB = SharedMemory.Allocate<float>(BlockRows * BlockDepth);
        ProductOfRegisters(a, b, c, n, tileA, tileB);
    }

    public static void RegistersDynamic(Floats a, Floats b, Floats c, int n)
    {
        var shared = SharedMemory.GetDynamic<float>();
        ProductOfRegisters(a, b, c, n, shared.SubView(0, BlockRows * BlockDepth), shared.SubView(BlockRows * BlockDepth, BlockRows * BlockDepth));
    }

    /// <summary>8 x 8 threads of 8 x 8 elements each.</summary>
    private static void ProductOfRegisters(Floats a, Floats b, Floats c, int n, ArrayView<float> tileA, ArrayView<float> tileB)
    {
        var sums = LocalMemory.Allocate<float>(ThreadRows * ThreadRows);
        int x = Group.IdxX, y = Group.IdxY, row0 = Grid.IdxY * BlockRows, column0 = Grid.IdxX * BlockRows;
        for (int i = 0; i < ThreadRows * ThreadRows; i++) sums[i] = 0f;
        for (int t = 0; t < n; t += BlockDepth)
        {
            for (int i = y * 8 + x; i < BlockRows * BlockDepth; i += 64)
            {
                tileA[i] = a[(row0 + i / BlockDepth) * n + t + i % BlockDepth];
                tileB[i] = b[(t + i / BlockRows) * n + column0 + i % BlockRows];
            }

            Group.Barrier();
            for (int k = 0; k < BlockDepth; k++)
            {
                for (int i = 0; i < ThreadRows; i++)
                {
                    for (int j = 0; j < ThreadRows; j++)
                        sums[i * ThreadRows + j] += tileA[(y * ThreadRows + i) * BlockDepth + k] * tileB[k * BlockRows + j * 8 + x];
                }
            }

            Group.Barrier();
        }

        for (int i = 0; i < ThreadRows; i++)
        {
            for (int j = 0; j < ThreadRows; j++) c[(row0 + y * ThreadRows + i) * n + column0 + j * 8 + x] = sums[i * ThreadRows + j];
        }
    }

    public static void RowSums(Floats x, Floats sums, int columns)
    {
        float sum = 0f;
        for (int i = Group.IdxX; i < columns; i += Group.DimX) sum += x[Grid.IdxX * columns + i];
        float all = GroupExtensions.AllReduce<float, AddFloat>(sum);
        if (Group.IdxX == 0) sums[Grid.IdxX] = all;
    }

    public static void RowMaxima(Integers x, Integers maxima, int columns)
    {
        int largest = int.MinValue;
        for (int i = Group.IdxX; i < columns; i += Group.DimX) largest = XMath.Max(largest, x[Grid.IdxX * columns + i]);
        int all = GroupExtensions.Reduce<int, MaxInt32>(largest);
        if (Group.IdxX == 0) maxima[Grid.IdxX] = all;
    }

    public static void GroupScan(Integers x, Integers sums)
    {
        int thread = Group.IdxX;
        sums[thread] = GroupExtensions.InclusiveScan<int, AddInt32>(x[thread]);
    }

    /// <summary>Five results a thread.</summary>
    public static void Shuffles(Integers x, Integers results)
    {
        int thread = Group.IdxX, value = x[thread];
        results[thread * 5] = Warp.Shuffle(value, 5);
        results[thread * 5 + 1] = Warp.ShuffleUp(value, 3);
        results[thread * 5 + 2] = Warp.ShuffleDown(value, 2);
        results[thread * 5 + 3] = Warp.ShuffleXor(value, 9);
        results[thread * 5 + 4] = Warp.Shuffle(value, 1, 8);
    }

    /// <summary>Softmax of each row by warps that exchange maxima and sums.</summary>
    public static void Softmax(Floats x, Floats y, int columns)
    {
        var parts = SharedMemory.Allocate<float>(32);
        int row = Grid.IdxX, warps = Group.DimX / Warp.WarpSize;
        float most = float.NegativeInfinity, sum = 0f;
        for (int i = Group.IdxX; i < columns; i += Group.DimX) most = XMath.Max(most, x[row * columns + i]);
        for (int step = 16; step > 0; step >>= 1) most = XMath.Max(most, Warp.ShuffleXor(most, step));
        if (Warp.IsFirstLane) parts[Warp.WarpIdx] = most;
        Group.Barrier();
        for (int w = 0; w < warps; w++) most = XMath.Max(most, parts[w]);
        Group.Barrier();
        for (int i = Group.IdxX; i < columns; i += Group.DimX)
        {
            float e = XMath.Exp(x[row * columns + i] - most);
            y[row * columns + i] = e;
            sum += e;
        }

        for (int step = 16; step > 0; step >>= 1) sum += Warp.ShuffleXor(sum, step);
        if (Warp.IsFirstLane) parts[Warp.WarpIdx] = sum;
        Group.Barrier();
        sum = 0f;
        for (int w = 0; w < warps; w++) sum += parts[w];
        for (int i = Group.IdxX; i < columns; i += Group.DimX) y[row * columns + i] /= sum;
    }

    public static void Barriers(Integers results)
    {
        int thread = Group.IdxX, count = Group.BarrierPopCount(thread % 2 == 0);
        bool all = Group.BarrierAnd(thread >= 0), any = Group.BarrierOr(thread == 5), none = Group.BarrierOr(thread > 1000);
        int given = Group.Broadcast(thread * 2, 3);
        if (thread != 0) return;
        results[0] = count;
        results[1] = all ? 1 : 0;
        results[2] = any ? 1 : 0;
        results[3] = none ? 1 : 0;
        results[4] = given;
    }

    public static void Atomics(Index1D i, Integers x, Integers bins, Integers results, Longs longs, Doubles sums)
    {
        int value = x[i];
        Atomic.Add(ref bins[value & 15], 1);
        Atomic.Max(ref results[0], value);
        Atomic.Min(ref results[1], value);
        Atomic.And(ref results[2], value | 255);
        Atomic.Or(ref results[3], value & 4095);
        Atomic.Xor(ref results[4], value);
        Atomic.CompareExchange(ref results[5], 0, 7);
        Atomic.Exchange(ref results[6], 11);
        Atomic.Add(ref longs[0], (long)value << 20);
        Atomic.Add(ref sums[0], value & 1023);
    }

    public static void SharedAtomics(Integers x, Integers sums)
    {
        ref int sum = ref SharedMemory.Allocate<int>();
        if (Group.IsFirstThread) sum = 0;
        Group.Barrier();
        Atomic.Add(ref sum, x[Grid.GlobalIndex.X]);
        Group.Barrier();
        if (Group.IsFirstThread) sums[Grid.IdxX] = sum;
    }

    public static void HalfPrecision(Index1D i, Halves x, Floats doubled)
    {
        doubled[i] = (float)x[i] * 2f;
        x[i] = (ILGPU.Half)(doubled[i] + 0.1f);
    }

    public static void HalfArithmetic(Index1D i, Halves x, Halves y)
    {
        var a = x[i];
        y[i] = a * a + (ILGPU.Half)0.5f - y[i];
    }

    public static void DoublePrecision(Index1D i, Doubles x, Longs y)
    {
        x[i] = XMath.Sqrt(x[i]) / 3.0 + y[i];
        y[i] = y[i] * 7L / 3L % 1000003L - (long)x[i];
    }

    public static void SmallIntegers(Index1D i, ArrayView1D<sbyte, Stride1D.Dense> a, ArrayView1D<byte, Stride1D.Dense> b, Integers sums)
    {
        sums[i] = a[i] * 3 + b[i];
        a[i] = (sbyte)(a[i] + 100);
        b[i] = (byte)(b[i] * 5);
    }

    public static void Switches(Index1D i, Integers results) => results[i] = Chosen(i);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int Chosen(int i)
    {
        switch (i % 6)
        {
            case 0: return 10;
            case 1: return i * 3;
            case 2: return -i;
            case 3: return i * i;
            case 4: return i / 7;
            default: return 99;
        }
    }

    public static void Calls(Index1D i, Floats x, Floats y) => y[i] = Polynomial(x[i], 9) + Polynomial(x[i] * 2f, 5);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static float Polynomial(float x, int degree)
    {
        float result = 0f;
        for (int i = 0; i < degree; i++)
        {
            if (result > 10f) return result;
            result = result * x + 1f;
        }

        return result;
    }

    /// <summary>One 16 x 8 x 16 product of a warp: inputs are 4 + 2 words a lane.</summary>
    public static void InlineMma(Integers words, Floats results)
    {
        int lane = Group.IdxX;
        if (!CudaAsm.IsSupported) return;
        Output<float> d0 = default, d1 = default, d2 = default, d3 = default;
        Input<int> a0 = words[lane], a1 = words[lane + 32], a2 = words[lane + 64], a3 = words[lane + 96], b0 = words[lane + 128], b1 = words[lane + 160];
        Input<float> zero = 0f;
        CudaAsm.EmitRef(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%10,%10,%10};",
            ref d0, ref d1, ref d2, ref d3, ref a0, ref a1, ref a2, ref a3, ref b0, ref b1, ref zero);
        results[lane * 4] = d0.Value;
        results[lane * 4 + 1] = d1.Value;
        results[lane * 4 + 2] = d2.Value;
        results[lane * 4 + 3] = d3.Value;
    }

    /// <summary>Wrong: a barrier is missing before the last line.</summary>
    public static void MissingBarrier(Floats x, Floats y)
    {
        var tile = SharedMemory.Allocate<float>(128);
        int thread = Group.IdxX;
        tile[thread] = 0f;
        Group.Barrier();
        tile[thread] = x[thread];
        y[thread] = tile[127 - thread];
    }

    /// <summary>Wrong: writes one element too many.</summary>
    public static void OffByOne(Floats x, int n)
    {
        int i = Grid.GlobalIndex.X;
        if (i <= n) x[i] = 1f;
    }

    /// <summary>Wrong: the threads of one warp wait at different barriers.</summary>
    public static void PartialBarrier(Floats x)
    {
        int thread = Group.IdxX;
        if (thread % 32 < 16)
        {
            Group.Barrier();
            x[thread] = 1f;
        }
        else
        {
            x[thread] = 2f;
            Group.Barrier();
        }
    }

    /// <summary>Wrong: half of shared memory is read and never written.</summary>
    public static void Unwritten(Floats x)
    {
        var tile = SharedMemory.Allocate<float>(64);
        if (Group.IdxX < 32) tile[Group.IdxX] = 1f;
        Group.Barrier();
        x[Group.IdxX] = tile[Group.IdxX];
    }
}
