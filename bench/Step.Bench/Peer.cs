using System.Diagnostics;

namespace RepNoise.Bench.Step;

/// <summary>The libtorch program: built on demand, started under one of its settings.</summary>
internal sealed class Peer
{
    /// <summary>
    /// As installed; malloc tuned, else most of its time is page faults; MKL on its fast path too; and, with all that, the loss
    /// rewritten with our own savings, so that engine and algorithm show apart.
    /// </summary>
    public static readonly string[] Settings = ["stock", "malloc", "best", Lean];

    private const string Lean = "lean";

    private readonly string program;
    private readonly string? preload;

    /// <param name="root">The repository's root.</param>
    public Peer(string root)
    {
        string source = Path.Combine(root, "bench", "Step.Bench.Peer"), output = Path.Combine(root, "artifacts", "step-bench-peer");
        Run("dotnet", "build", source, "-c", "Release", "-o", output, "-v", "quiet", "--nologo");
        program = Path.Combine(output, "Step.Bench.Peer");
        if (!File.ReadAllText("/proc/cpuinfo").Contains("AuthenticAMD", StringComparison.Ordinal)) return;
        preload = Path.Combine(output, "mkl_intel_path.so");
        Run("cc", "-shared", "-fPIC", "-O2", "-o", preload, Path.Combine(source, "mkl_intel_path.c"));
    }

    /// <summary>Name of the side in the results.</summary>
    public static string Side(string setting) => setting == Lean ? "libtorch-lean" : "libtorch";

    public Child Start(string jobFile, string setting)
    {
        var environment = new Dictionary<string, string>();
        if (setting != "stock")
        {
            environment["MALLOC_MMAP_MAX_"] = "0";
            environment["MALLOC_TRIM_THRESHOLD_"] = "17179869184";
            environment["MALLOC_TOP_PAD_"] = "268435456";
            environment["MALLOC_ARENA_MAX"] = "1";
        }

        if (setting is "best" or Lean && preload is not null) environment["LD_PRELOAD"] = preload;
        return new Child(program, setting == Lean ? [jobFile, Lean] : [jobFile], environment);
    }

    private static void Run(string command, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments))!;
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{command} failed; its message stands above");
    }
}
