using System.Text.RegularExpressions;
using RepNoise.Kernels.Cuda;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Kernels.Tests;

/// <summary>
/// Every kernel with a mistake is found out: its result has other bits, or the stand-in reports it. What is broken is the PTX that ships, one
/// instruction at a time; see <see cref="PtxMutants"/>. Shapes are the smallest that reach every barrier and wait.
/// </summary>
public sealed partial class CudaMutantTests
{
    /// <summary>Mutants that are no mistakes, with the reason; a symbol's begin stands for all that begin so.</summary>
    private static readonly (string Symbol, string Mistake, string Reason)[] Harmless =
    [
        .. ((string[])["matmul_nn_small", "matmul_nt_small", "matmul_tn_small", "matmul_logits_small"]).SelectMany(symbol => ((string, string, string)[])
        [
            (symbol, "bar.warp.sync number 1 ", "before a warp's first rows go to scratch; the block's barrier comes before it"),
            (symbol, "bar.warp.sync number 3 ", "the same where C is of the other format"),
        ]),
        ("matmul_nn_tf32x3", "bar.warp.sync number 2 ", "the same as number 1 of the others"),
        .. ((string[])["matmul_nn_warpgroup", "matmul_nt_warpgroup", "matmul_tn_warpgroup", "matmul_logits_warpgroup"]).SelectMany(symbol => ((string, string, string)[])
        [
            (symbol, "bar.warp.sync number 1 ", "before a warp's first rows go to scratch; wgmma.fence, which waits for all its lanes, comes before it"),
            (symbol, "bar.warp.sync number 3 ", "the same where C is of the other format"),
        ]),
        ("matmul_nn_any", "bar.warp.sync number 2 ", "the same as number 1 of the others"),
        ("matmul_nn_any", "bar.warp.sync number 4 ", "the same where C is of the other format"),
        ("attention_", "bar.warp.sync number 1 ", "before a warp's rows go to scratch; the loop's last barrier comes before it"),
        ("attention_forward_rows128", "bar.warp.sync number 3 ", "the same for its second run of rows"),
        ("sum_", "bar.sync number 2", "after the only use of the scratch that it frees"),
        ("sum_", "ld.global.v4.b32: words swapped", "a sum in double of a few thousand floats has the same bits in another order"),
        ("matmul_nn_tf32x3", "cp.async.wait_group number 2", "the groups that it waits for are empty, as they lie past the end of K"),
        ("matmul_logits_", "cvt.rn.bf16.f32: rounded", "what the sums were made of is bfloat16 already"),
        ("gather_rows_bf16_to_bf16", "cvt.rn.bf16.f32: rounded", "what was bfloat16 before is rounded to itself"),
        ("mmd_gaussian_finish", "bar.sync number 4", "after the last use of the scratch that it frees"),
    ];

    /// <summary>Those of warpgroups need another stand-in: <see cref="CudaWarpGroupTests"/>.</summary>
    public static TheoryData<string> Cases => new(CudaMutantCases.All.Keys.Where(name => !name.Contains("warpgroup", StringComparison.Ordinal)));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_mutant_is_caught(string name) => Check(name);

    /// <summary>Fails where a mutant of a case is not caught.</summary>
    internal static void Check(string name)
    {
        string standIn = DriverLibraries.FindStandIn(out string reason) ?? "";
        if (standIn.Length == 0) Assert.Skip(reason);
        var recorded = CudaMutantCases.Record(name);
        using var replay = new LaunchReplay(standIn);
        var survivors = new List<string>();
        int count = 0;
        string begin = CudaMutantCases.All[name].Symbols;
        foreach (string symbol in recorded.Launches.Select(launch => launch.Symbol).Distinct().Where(symbol => symbol.StartsWith(begin, StringComparison.Ordinal)))
        {
            string ptx = replay.PtxOf(symbol);
            var expected = replay.Run(recorded, symbol, ptx, out string fault);
            Assert.True(expected is not null, $"{symbol} as it ships: {fault}");
            foreach (var mutant in PtxMutants.Of(ptx))
            {
                count++;
                var found = replay.Run(recorded, symbol, mutant.Ptx, out _);
                bool isCaught = found is null || !found.Zip(expected, (a, b) => a.AsSpan().SequenceEqual(b)).All(same => same);
                if (!isCaught && !IsHarmless(symbol, mutant)) survivors.Add($"{symbol}: {mutant.Mistake}");
            }
        }

        Assert.True(survivors.Count == 0, $"{survivors.Count} of {count} mutants give the same bits without a report:\n{string.Join('\n', survivors)}");
        Assert.True(count > 0, "there is nothing to break");
    }

    /// <summary>Whatever device.cuh and device_sm90.cuh write by hand and a kernel uses can be broken; but for a change of address, which no result outlives.</summary>
    [Fact]
    public void No_wrapped_instruction_is_without_a_mutant()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "native/cuda/include/device.cuh"))) root = root.Parent;
        if (root is null) Assert.Skip("the sources of the kernels are not above this program");
        string header = string.Concat(((string[])["device.cuh", "device_sm90.cuh"]).Select(name => File.ReadAllText(Path.Combine(root!.FullName, "native/cuda/include", name))));
        string[] shipped = [.. Directory.GetFiles(Path.Combine(root!.FullName, "native/cuda/ptx"), "*.ptx").Select(File.ReadAllText)];
        string[] wrapped = [.. Opcode().Matches(header).Select(match => match.Groups[1].Value).Distinct().Where(opcode => shipped.Any(text => text.Contains(opcode, StringComparison.Ordinal)))];
        Assert.True(wrapped.Length > 25, $"only {wrapped.Length} instructions were found");
        Assert.Equal(["cvta.to.shared.u64"], wrapped.Where(opcode => !PtxMutants.Breaks(opcode)));
    }

    [GeneratedRegex("""
        (?:"|\\t)((?:mbarrier|fence|wgmma|setmaxnreg|mma|ldmatrix|cp|cvt|cvta|ld|st|shfl|vote|brev|clz|bar|fma|mul|add|sub|div|sqrt|rsqrt|rcp|ex2|lg2)\.[a-z0-9_.:]+)
        """)]
    private static partial Regex Opcode();

    private static bool IsHarmless(string symbol, PtxMutant mutant) => Harmless.Any(known =>
        symbol.StartsWith(known.Symbol, StringComparison.Ordinal) && mutant.Mistake.StartsWith(known.Mistake, StringComparison.Ordinal));
}
