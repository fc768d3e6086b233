using System.Security.Cryptography;
using RepNoise.Kernels.Cuda;
using RepNoise.Kernels.Ilgpu;
using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>
/// Every kernel gives the same bits in any order of blocks and warps, however late asynchronous work comes, and compiled with less optimisation: the operations of
/// <see cref="CudaMutantCases"/>, each launch as it is. The stand-in takes its order where it is loaded, hence a process for each; all of them report compute
/// capability 9.0, for the products of warpgroups. PTX of -O1 is made where the native parts are built with clang.
/// </summary>
public sealed class CudaOrderTests
{
    /// <summary>Names the file for what a process finds.</summary>
    private const string Variable = "REPNOISE_TEST_ORDERS";

    private const string Shipped = "-O3", Plain = "-O1";

    /// <summary>Seed of the order (0 takes blocks and warps one after the other), and whether asynchronous work is late.</summary>
    private static readonly (int Seed, int Late)[] Orders = [(1, 0), (0, 0), (2, 1)];

    private static readonly Lazy<Task<Dictionary<(string Case, string Level), string>[]>> Found = new(FindAll);

    [Fact]
    public async Task Results_have_the_same_bits_in_any_order_of_blocks_and_warps()
    {
        var found = await Results();
        foreach (string name in CudaMutantCases.All.Keys)
        {
            foreach (string level in (string[])[Shipped, Plain])
            {
                string?[] results = [.. found.Select(one => one.GetValueOrDefault((name, level)))];
                Assert.True(results.All(result => result == results[0]), $"{name}, {level}: another order of {string.Join(", ", Orders)} has other bits or a fault: {string.Join("; ", results)}");
                Assert.True(level == Plain || results[0] is not null, $"{name} did not run");
            }
        }
    }

    [Fact]
    public async Task Kernels_compiled_with_less_optimisation_give_the_same_bits()
    {
        if (PlainModules().Count == 0) Assert.Skip("there is no PTX of -O1 in artifacts/native/ptx-O1: the native parts were not built, or without clang++-22");
        foreach (var results in await Results())
        {
            foreach (string name in CudaMutantCases.All.Keys) Assert.True(results[(name, Shipped)] == results.GetValueOrDefault((name, Plain)), $"{name}: {results[(name, Shipped)]}, compiled with -O1 {results.GetValueOrDefault((name, Plain))}");
        }
    }

    /// <summary>What a process of <see cref="FindAll"/> does: a line for each case and level, with the hash of all memory after it or the stand-in's report.</summary>
    [Fact]
    public void Work()
    {
        string? file = Environment.GetEnvironmentVariable(Variable);
        if (file is null) Assert.Skip("runs in processes of its own");
        using var replay = new LaunchReplay(DriverLibraries.FindStandIn(out _)!);
        var plain = PlainModules();
        var extracts = new Dictionary<string, string>(); // those that are run: to cut one out takes longer than to run it
        var lines = new List<string>();
        foreach (string name in CudaMutantCases.All.Keys)
        {
            var recorded = CudaMutantCases.Record(name, fewBlocks: false);
            lines.Add($"{name}\t{Shipped}\t{Run(replay.PtxOf)}");
            if (plain.Count > 0) lines.Add($"{name}\t{Plain}\t{Run(PlainOf)}");

            string Run(Func<string, string> ptxOf)
            {
                var contents = replay.Run(recorded, ptxOf, out string fault);
                return contents is null ? fault.ReplaceLineEndings(" ") : Convert.ToHexString(SHA256.HashData([.. contents.SelectMany(bytes => bytes)]));
            }
        }

        File.WriteAllLines(file, lines);

        string PlainOf(string symbol)
        {
            if (!extracts.TryGetValue(symbol, out string? ptx)) extracts.Add(symbol, ptx = PtxMutants.Extract(plain[symbol], symbol));
            return ptx;
        }
    }

    private static Task<Dictionary<(string Case, string Level), string>[]> Results()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not null) Assert.Skip("this is a process that works");
        if (DriverLibraries.FindStandIn(out string reason) is null) Assert.Skip(reason);
        return Found.Value;
    }

    private static async Task<Dictionary<(string Case, string Level), string>[]> FindAll() => [.. await Task.WhenAll(Orders.Select(async order =>
    {
        string file = Path.GetTempFileName();
        try
        {
            await ChildProcess.Run(
                ["-method", $"*.{nameof(CudaOrderTests)}.{nameof(Work)}"],
                (Variable, file), ("PTXSIM_SM", "90"), ("PTXSIM_SEED", $"{order.Seed}"), ("PTXSIM_LATE", $"{order.Late}"));
            return File.ReadLines(file).Select(line => line.Split('\t')).ToDictionary(parts => (parts[0], parts[1]), parts => parts[2]);
        }
        finally
        {
            File.Delete(file);
        }
    }))];

    /// <summary>By symbol: the module of -O1 that has it. Empty where there are none.</summary>
    private static Dictionary<string, string> PlainModules()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "native/cuda/include/device.cuh"))) root = root.Parent;
        string folder = root is null ? "" : Path.Combine(root.FullName, "artifacts/native/ptx-O1");
        return !Directory.Exists(folder)
            ? []
            : Directory.GetFiles(folder, "*.ptx").Select(File.ReadAllText).SelectMany(text => PtxEntry.Read(text).Keys.Select(symbol => (symbol, text)))
                .ToDictionary(one => one.symbol, one => one.text);
    }
}
