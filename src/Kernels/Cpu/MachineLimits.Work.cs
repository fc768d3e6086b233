using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Independent chains of multiply-adds, straight-line. A chain's next step waits for its last one, so the units are busy only
/// with (units x latency) chains: 2 x 4 or 2 x 5 on x86, 4 x 4 on the widest Arm cores. 12 chains and 2 constants fill the 16
/// registers of AVX2; machines with 32 registers run 24.
/// </summary>
internal readonly unsafe struct MultiplyAddWork<TSimd>(float* sink) : IWork
    where TSimd : unmanaged, ISimd<TSimd>
{
    public const int PartsPerThread = 16;

    private const int MultiplyAddsPerRound = 24;

    // About 100 microseconds a part on a 3 GHz core with two units: far over what claiming a part costs.
    private const int Rounds = 25_000;

    // Every chain tends to 1 and stays there: no infinities, no denormals.
    private const float Factor = 0.5f, Addend = 0.5f;

    private readonly float* sink = sink;

    public static double FlopsPerPart => 2.0 * Rounds * MultiplyAddsPerRound * TSimd.Width;

    // AVX-512 and 64-bit Arm have 32 registers.
    private static bool Has32Registers => TSimd.Width == 16 || System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.IsSupported;

    public void Run(int part, int worker)
    {
        // The result is stored so that no compiler may drop the work.
        sink[part] = TSimd.SumAcross(Has32Registers ? Chains24() : Chains12());
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static TSimd Chains24()
    {
        TSimd m = TSimd.Create(Factor), s = TSimd.Create(Addend);
        TSimd a0 = s, a1 = s, a2 = s, a3 = s, a4 = s, a5 = s, a6 = s, a7 = s, a8 = s, a9 = s, a10 = s, a11 = s;
        TSimd b0 = s, b1 = s, b2 = s, b3 = s, b4 = s, b5 = s, b6 = s, b7 = s, b8 = s, b9 = s, b10 = s, b11 = s;
        for (int round = 0; round < Rounds; round++)
        {
            a0 = TSimd.MultiplyAdd(a0, m, s);
            a1 = TSimd.MultiplyAdd(a1, m, s);
            a2 = TSimd.MultiplyAdd(a2, m, s);
            a3 = TSimd.MultiplyAdd(a3, m, s);
            a4 = TSimd.MultiplyAdd(a4, m, s);
            a5 = TSimd.MultiplyAdd(a5, m, s);
            a6 = TSimd.MultiplyAdd(a6, m, s);
            a7 = TSimd.MultiplyAdd(a7, m, s);
            a8 = TSimd.MultiplyAdd(a8, m, s);
            a9 = TSimd.MultiplyAdd(a9, m, s);
            a10 = TSimd.MultiplyAdd(a10, m, s);
            a11 = TSimd.MultiplyAdd(a11, m, s);
            b0 = TSimd.MultiplyAdd(b0, m, s);
            b1 = TSimd.MultiplyAdd(b1, m, s);
            b2 = TSimd.MultiplyAdd(b2, m, s);
            b3 = TSimd.MultiplyAdd(b3, m, s);
            b4 = TSimd.MultiplyAdd(b4, m, s);
            b5 = TSimd.MultiplyAdd(b5, m, s);
            b6 = TSimd.MultiplyAdd(b6, m, s);
            b7 = TSimd.MultiplyAdd(b7, m, s);
            b8 = TSimd.MultiplyAdd(b8, m, s);
            b9 = TSimd.MultiplyAdd(b9, m, s);
            b10 = TSimd.MultiplyAdd(b10, m, s);
            b11 = TSimd.MultiplyAdd(b11, m, s);
        }

        return a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11 + b0 + b1 + b2 + b3 + b4 + b5 + b6 + b7 + b8 + b9 + b10 + b11;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static TSimd Chains12()
    {
        TSimd m = TSimd.Create(Factor), s = TSimd.Create(Addend);
        TSimd a0 = s, a1 = s, a2 = s, a3 = s, a4 = s, a5 = s, a6 = s, a7 = s, a8 = s, a9 = s, a10 = s, a11 = s;
        for (int round = 0; round < 2 * Rounds; round++)
        {
            a0 = TSimd.MultiplyAdd(a0, m, s);
            a1 = TSimd.MultiplyAdd(a1, m, s);
            a2 = TSimd.MultiplyAdd(a2, m, s);
            a3 = TSimd.MultiplyAdd(a3, m, s);
            a4 = TSimd.MultiplyAdd(a4, m, s);
            a5 = TSimd.MultiplyAdd(a5, m, s);
            a6 = TSimd.MultiplyAdd(a6, m, s);
            a7 = TSimd.MultiplyAdd(a7, m, s);
            a8 = TSimd.MultiplyAdd(a8, m, s);
            a9 = TSimd.MultiplyAdd(a9, m, s);
            a10 = TSimd.MultiplyAdd(a10, m, s);
            a11 = TSimd.MultiplyAdd(a11, m, s);
        }

        return a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11;
    }
}

/// <summary>a = b + s c over three arrays side by side in memory, a run of each a part.</summary>
/// <param name="memory">a (floats), b (floats), c (floats).</param>
/// <param name="floats">Length of an array, a multiple of the longest register.</param>
/// <param name="streams">True stores past the caches.</param>
internal readonly unsafe struct TriadWork<TSimd>(float* memory, int floats, bool streams) : IWork
    where TSimd : unmanaged, ISimd<TSimd>
{
    // 256 KB of each array: long enough for the prefetchers, short enough that both threads end together.
    private const int PartFloats = 64 << 10;

    private readonly float* memory = memory;
    private readonly int floats = floats;
    private readonly bool streams = streams;

    public int Parts => (floats + PartFloats - 1) / PartFloats;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(int part, int worker)
    {
        int start = part * PartFloats, end = Math.Min(floats, start + PartFloats);
        float* a = memory;
        float* b = memory + floats;
        float* c = b + floats;
        TSimd factor = TSimd.Create(3);
        if (streams)
        {
            for (int i = start; i < end; i += TSimd.Width) SimdMath.StoreStreaming(TSimd.MultiplyAdd(TSimd.Load(c + i), factor, TSimd.Load(b + i)), a + i);
        }
        else
        {
            for (int i = start; i < end; i += TSimd.Width) TSimd.Store(TSimd.MultiplyAdd(TSimd.Load(c + i), factor, TSimd.Load(b + i)), a + i);
        }
    }
}

/// <summary>Whole tiles of products in tile registers, each thread's strips in its L1 cache.</summary>
/// <param name="memory"><see cref="Bytes"/> a thread, of numbers that are not large.</param>
internal readonly unsafe struct TileWork(float* memory) : IWork
{
    public const int PartsPerThread = 16;

    private const int K = 64;
    private const int Tiles = 300;

    private readonly float* memory = memory;

    public static long Bytes => sizeof(float) * Floats;

    public static double FlopsPerPart => 2.0 * Tiles * AmxTile.MaxRows * AmxTile.Columns * K;

    private static long Floats => AmxTile.RowsLength(AmxTile.MaxRows, K) + AmxTile.ColumnsLength(K) + AmxTile.MaxRows * AmxTile.Columns;

    public void Run(int part, int worker)
    {
        float* a = memory + worker * Floats, b = a + AmxTile.RowsLength(AmxTile.MaxRows, K), c = b + AmxTile.ColumnsLength(K);
        AmxTile.Begin();
        for (int i = 0; i < Tiles; i++) AmxTile.RunPart(AmxTile.MaxRows, AmxTile.Columns, K, a, b, c, AmxTile.Columns, false, null);
        AmxTile.End();
    }
}
