using System.Diagnostics;

namespace RepNoise.Bench.Step;

/// <summary>The libtorch program: built on demand, started under one of three settings.</summary>
internal sealed class Peer
{
    /// <summary>As installed; malloc tuned, else most of its time is page faults; and MKL on its fast path too.</summary>
    public static readonly string[] Settings = ["stock", "malloc", "best"];

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

    public Child Start(string jobFile, string setting)
    {
        var environment = new Dictionary<string, string>();
        if (setting is "malloc" or "best")
        {
            environment["MALLOC_MMAP_MAX_"] = "0";
            environment["MALLOC_TRIM_THRESHOLD_"] = "17179869184";
            environment["MALLOC_TOP_PAD_"] = "268435456";
            environment["MALLOC_ARENA_MAX"] = "1";
        }

        if (setting == "best" && preload is not null) environment["LD_PRELOAD"] = preload;
        return new Child(program, [jobFile], environment);
    }

    private static void Run(string command, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments))!;
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{command} failed; its message stands above");
    }
}
