using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;

namespace RepNoise.Kernels.Cuda;

/// <summary>
/// Matrix products of bfloat16 by warpgroups, fed by the tensor memory accelerator: kernels/sm90/matmul.cu of native/cuda, for devices of
/// compute capability 9.0. Used only once its products have agreed with those of the other tiles on the device at hand.
/// </summary>
internal sealed class WarpGroupMatmul
{
    private const string Module = "matmul_sm90";
    private const int BlockM = 128, BlockK = 64, BoxColumns = 64;
    private const int Threads = 384;

    /// <summary>Each of eight warps' way to C, and two barriers of eight bytes for a stage; see the source.</summary>
    private const int ScratchBytes = 8 * 16 * (32 + 8) * 4, BarrierBytes = 16;

    /// <summary>Its tiles. One block stays on each multiprocessor.</summary>
    public static readonly MatmulTile[] Tiles =
    [
        new("warpgroup_wide", Module, BlockM, 256, BlockK, Threads, SharedBytes(256, 4), 1, 2.5, StripColumns: 256),
        new("warpgroup_square", Module, BlockM, 128, BlockK, Threads, SharedBytes(128, 6), 1, 2.2, StripColumns: 128),
    ];

    private readonly CudaContext context;
    private readonly Dictionary<(MatmulTile, MatmulForm), CudaKernel<Arguments>> kernels = [];
    private readonly Dictionary<MatmulTile, CudaKernel<LogitsArguments>> logitsKernels = [];

    private WarpGroupMatmul(CudaContext context) => this.context = context;

    /// <summary>The kernels, checked in this device's runtime: once, as all of its devices have the same modules on the same GPU.</summary>
    /// <param name="context">The device.</param>
    /// <param name="others">Products to compare with.</param>
    /// <param name="reason">Why not, where the result is null.</param>
    public static WarpGroupMatmul? Create(CudaContext context, Matmul others, out string reason)
    {
        if (context.Capability is not (9, 0))
        {
            reason = $"compute capability is {context.Capability.Major}.{context.Capability.Minor}, not 9.0";
            return null;
        }

        try
        {
            var kernels = new WarpGroupMatmul(context);
            reason = context.Modules.WarpGroupRefusal ??= kernels.Disagreement(others) is { Length: > 0 } problem ? problem : kernels.LogitsDisagreement(others);
            return reason.Length == 0 ? kernels : null;
        }
        catch (DeviceException refused)
        {
            reason = refused.Message;
            return null;
        }
    }

    /// <summary>Queues the product of one tile shape. Operands start and continue at multiples of 16 bytes.</summary>
    public void Launch(MatmulTile tile, MatmulForm form, in MatmulOperands x, int parts)
    {
        if (!kernels.TryGetValue((tile, form), out var kernel))
        {
            string symbol = $"matmul_{form.ToString().ToLowerInvariant()}_{tile.Name}_bf16";
            kernels.Add((tile, form), kernel = new CudaKernel<Arguments>(context, Module, symbol, Threads, tile.SharedBytes));
        }

        bool turnedA = form == MatmulForm.TN, turnedB = form != MatmulForm.NT;
        var a = Map(x.A, turnedA ? x.K : x.M, turnedA ? x.M : x.K, x.StrideA, turnedA ? BlockK : BlockM);
        var b = Map(x.B, turnedB ? x.K : x.N, turnedB ? x.N : x.K, x.StrideB, turnedB ? BlockK : tile.BlockN);
        long tiles = (long)tile.Count(x.M, x.N) * parts;
        kernel.Launch(new Grid((int)Math.Min(tiles, context.Multiprocessors)), new Arguments(
            a, b, x.C, x.Bias, x.M, x.N, x.K, x.StrideC, x.PartStride, x.DepthOfPart, parts, x.Flags), tile.SharedBytes);
    }

    /// <summary>Queues the product of one tile shape that makes logits and sums their rows.</summary>
    public void LaunchLogits(MatmulTile tile, in LogitsOperands x)
    {
        if (!logitsKernels.TryGetValue(tile, out var kernel))
            logitsKernels.Add(tile, kernel = new CudaKernel<LogitsArguments>(context, Module, $"matmul_logits_{tile.Name}_bf16", Threads, tile.SharedBytes));
        TensorMap a = Map(x.A, x.M, x.K, x.StrideA, BlockM), b = Map(x.B, x.N, x.K, x.StrideB, tile.BlockN);
        kernel.Launch(
            new Grid(Math.Min(tile.Count(x.M, x.N), context.Multiprocessors)), new LogitsArguments(a, b, x.C, x.M, x.N, x.K, x.StrideC, x.Sums), tile.SharedBytes);
    }

    private static int SharedBytes(int blockN, int stages) => stages * ((BlockM + blockN) * BlockK * 2 + BarrierBytes) + ScratchBytes;

    /// <summary>A map of a row-major matrix in boxes of 64 columns, as the kernels read it.</summary>
    private TensorMap Map(nint address, int rows, int columns, long stride, int boxRows)
    {
        string problem = context.Modules.Driver.EncodeTensorMap(address, rows, columns, stride * sizeof(ushort), BoxColumns, boxRows, out var map);
        return problem.Length == 0 ? map : throw new DeviceException(
            context.DeviceName, $"{context.Operation}: the driver makes no tensor map of a ({rows}, {columns}) matrix, stride {stride}: {problem}",
            "Use --kernel matmul=square");
    }

    /// <summary>
    /// Products of numbers that bfloat16 holds exactly, sizes with ragged edges in every dimension, K in one part and in two: sums are
    /// integers, so both kernels must give the same bits. Empty where they do.
    /// </summary>
    private string Disagreement(Matmul others)
    {
        const int M = 200, N = 328, K = 264;
        var accelerator = context.Accelerator;
        using var a = accelerator.Allocate1D(Integers(K * N, seed: 1));
        using var b = accelerator.Allocate1D(Integers(K * N, seed: 2));
        using var expected = accelerator.Allocate1D<float>(2 * M * N);
        using var found = accelerator.Allocate1D<float>(2 * M * N);
        foreach (var tile in Tiles)
        {
            foreach (var form in Enum.GetValues<MatmulForm>())
            {
                int strideA = form == MatmulForm.TN ? M : K, strideB = form == MatmulForm.NT ? K : N;
                for (int parts = 1; parts <= 2; parts++)
                {
                    expected.MemSetToZero();
                    found.MemSetToZero();
                    var operands = new MatmulOperands(
                        a.NativePtr, b.NativePtr, expected.NativePtr, 0, M, N, K, strideA, strideB, N, parts == 1 ? 0 : (long)M * N,
                        tile.DepthOfPart(K, parts), Matmul.FloatOutput);
                    others.Launch(MatmulTile.BFloat16[^1], form, operands, parts);
                    Launch(tile, form, operands with { C = found.NativePtr }, parts);
                    context.Synchronize();
                    if (!expected.GetAsArray1D().AsSpan().SequenceEqual(found.GetAsArray1D()))
                        return $"{tile.Name} disagrees with {MatmulTile.BFloat16[^1].Name} in form {form}";
                }
            }
        }

        return "";
    }

    /// <summary>
    /// The same of logits and the sums of their rows. Logits are multiples of 256, so that an exponential is 1 or 0 and sums, numbers of largest logits, are exact
    /// whatever the strips. Empty where they agree.
    /// </summary>
    private string LogitsDisagreement(Matmul others)
    {
        const int M = 200, N = 328, K = 264, Spread = 256;
        var accelerator = context.Accelerator;
        using var a = accelerator.Allocate1D(Integers(M * K, seed: 3));
        using var b = accelerator.Allocate1D(Integers(N * K, seed: 4, Spread));
        using var logits = accelerator.Allocate1D<ushort>(M * N);
        using var sums = accelerator.Allocate1D<float>(M * ((2 * N) + 1));
        using var targets = accelerator.Allocate1D(Enumerable.Range(0, M).Select(row => row * 7 % N).ToArray());
        var expected = Run(MatmulTile.BFloat16[^1]);
        return Tiles.FirstOrDefault(tile => !Run(tile).SequenceEqual(expected)) is { } wrong
            ? $"{wrong.Name} disagrees with {MatmulTile.BFloat16[^1].Name} in sums of logits"
            : "";

        // Bits of each row's largest logit, of the sum and of its target's logit, then the logits.
        IEnumerable<uint> Run(MatmulTile tile)
        {
            logits.MemSetToZero();
            sums.MemSetToZero();
            int strips = (int)Packs.Blocks(N, tile.StripColumns);
            var operands = new LogitsOperands(
                a.NativePtr, b.NativePtr, logits.NativePtr, M, N, K, K, K, N, RowSums.In(sums.NativePtr, M, strips, targets.NativePtr));
            if (Tiles.Contains(tile)) LaunchLogits(tile, operands);
            else others.LaunchLogits(tile, operands);
            context.Synchronize();
            float[] found = sums.GetAsArray1D();
            var rows = Enumerable.Range(0, M).SelectMany(row =>
            {
                var pairs = Enumerable.Range(row * strips, strips).Select(i => (Largest: found[2 * i], Sum: found[(2 * i) + 1])).ToList();
                float largest = pairs.Max(pair => pair.Largest);
                return (float[])[largest, pairs.Where(pair => pair.Largest == largest).Sum(pair => pair.Sum), found[(2 * M * strips) + row]];
            });
            return [.. rows.Select(BitConverter.SingleToUInt32Bits), .. logits.GetAsArray1D().Select(bits => (uint)bits)];
        }
    }

    /// <summary>Small integers in bfloat16, times a power of two.</summary>
    private static ushort[] Integers(int count, int seed, int factor = 1)
    {
        var values = new ushort[count];
        uint state = (uint)seed;
        for (int i = 0; i < count; i++)
        {
            state = state * 1664525 + 1013904223;
            values[i] = (ushort)(BitConverter.SingleToUInt32Bits(((int)(state >> 28) - 8) * factor) >> 16);
        }

        return values;
    }

    private readonly record struct Arguments(
        TensorMap A, TensorMap B, nint C, nint Bias, int M, int N, int K, long StrideC, long PartStride, int DepthOfPart, int Parts, int Flags);

    private readonly record struct LogitsArguments(TensorMap A, TensorMap B, nint C, int M, int N, int K, long StrideC, RowSums Sums);
}

/// <summary>The driver's CUtensorMap: 128 opaque bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal readonly struct TensorMap
{
    private readonly ulong first;
}
