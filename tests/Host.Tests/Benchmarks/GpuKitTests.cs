using System.Diagnostics;
using RepNoise.Host.Benchmarks;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Benchmarks;

/// <summary>The GPU kit's script as far as it goes without a GPU: the programs in the archive are scripts that succeed and say nothing.</summary>
public sealed class GpuKitTests
{
    [Fact]
    public void What_the_machine_lacks_is_left_out_and_named()
    {
        using var folder = new TempFolder();
        string kit = MakeKit(folder), results = folder["results"];
        string[] arguments = ["--kit", kit, "--out", results, "--work", folder["work"]];
        var lines = new List<int>();
        for (int run = 0; run < 2; run++)
        {
            var (status, output) = RunKit(arguments);
            Assert.True(status == 0, output);
            lines.Add(File.ReadAllLines(Path.Combine(results, "results.jsonl")).Length);
        }

        Assert.Equal(lines[0], lines[1]); // a second run replaces the first
        string table = File.ReadAllText(Path.Combine(results, "results.md"));
        foreach (string missing in (string[])["nvidia-smi", "nvcc", "torch, transformers", "numpy", "compute-sanitizer"])
            Assert.Contains("this machine has no " + missing, table, StringComparison.Ordinal);
        Assert.Contains("## verify", table, StringComparison.Ordinal); // values that are recorded need no PyTorch
        Assert.DoesNotContain("Failed", table, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("there is no part 'sanitiser'; those are machine, build", "--parts", "machine,sanitiser")]
    [InlineData("there is no model '7b'; those are a, b, 1b", "--models", "7b")]
    [InlineData("make it with bench/gpu-kit/pack", "--kit", "/nowhere")]
    public void A_wrong_command_line_is_refused_with_what_is_right(string message, params string[] arguments)
    {
        using var folder = new TempFolder();
        var (status, output) = RunKit(["--out", folder.Path, .. arguments]);
        Assert.Equal(2, status);
        Assert.Contains(message, output, StringComparison.Ordinal);
    }

    [Fact]
    public void Peers_of_operations_are_named_as_the_benchmarks_are()
    {
        var (status, output) = Python(PeerKernels, "--covers");
        Assert.True(status == 0, output);
        string[] covered = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(covered.Length > 20, output);
        Assert.Empty(covered.Except(KernelBenchmarks.All.Select(benchmark => benchmark.Name)));
    }

    /// <summary>With a stand-in for PyTorch that can fill and knows nothing else: what it cannot do, and what has no peer, is no row.</summary>
    [Fact]
    public void Peers_are_timed_at_the_shapes_of_a_table()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder["torch.py"], """
            import types
            backends = types.SimpleNamespace(cuda=types.SimpleNamespace(matmul=types.SimpleNamespace()), cudnn=types.SimpleNamespace())
            float32 = "float32"
            def manual_seed(seed): pass
            class randn:
                def __init__(self, shape, device, dtype): assert (shape, device, dtype) in (((3, 4), "cpu", "float32"), ((5, 6), "cpu", "float32")), shape
                def fill_(self, value): pass
            """);
        File.WriteAllText(folder["bench.jsonl"], """
            {"op":"fill","shape":{"n":3,"c":4},"dtype":"float32"}
            {"op":"bias_backward","shape":{"n":5,"c":6},"dtype":"float32"}
            {"op":"clip_factor","shape":{},"dtype":"float32"}
            """);
        const string Main = "import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.argv = sys.argv[2:]; runpy.run_path(sys.argv[0], run_name='__main__')";
        var (status, output) = Python("-c", Main, folder.Path, PeerKernels, folder["bench.jsonl"], "--device", "cpu");
        Assert.True(status == 0, output);
        Assert.Contains("""{"op": "fill", "shape": {"n": 3, "c": 4}, "dtype": "float32", "seconds": """, output, StringComparison.Ordinal);
        Assert.Contains("bias_backward", output, StringComparison.Ordinal); // named, with what it lacks
        Assert.Single(output.Split('\n'), line => line.StartsWith('{'));
    }

    private static string PeerKernels => Path.Combine(Repository.Root, "bench/gpu-kit/peer_kernels.py");

    private static string MakeKit(TempFolder folder)
    {
        string archive = folder["archive/kit"];
        Directory.CreateDirectory(folder["stage/kit"]);
        Directory.CreateDirectory(Path.GetDirectoryName(archive)!);
        string[] programs = [folder["stage/kit/repnoise"], folder["stage/kit/kernels-tests"]];
        foreach (string program in programs) File.WriteAllText(program, "#!/bin/sh\nexit 0\n");
        const string Pack = "import os, shutil, sys; [os.chmod(p, 0o755) for p in sys.argv[3:]]; shutil.make_archive(sys.argv[1], 'xztar', sys.argv[2])";
        var (status, output) = Python(["-c", Pack, archive, folder["stage"], .. programs]);
        Assert.True(status == 0, output);
        return Path.GetDirectoryName(archive)!;
    }

    private static (int Status, string Output) RunKit(IEnumerable<string> arguments) =>
        Python([Path.Combine(Repository.Root, "bench/gpu-kit/run"), .. arguments]);

    /// <summary>Python without packages and with no programs on its path.</summary>
    private static (int Status, string Output) Python(params IEnumerable<string> arguments)
    {
        // What the path names may be a script that needs the path to find Python.
        bool isThere = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(place => File.Exists(Path.Combine(place, "python3")));
        if (!isThere) Assert.Skip("python3 is not installed");
        string python = Run("python3", ["-c", "import sys; print(sys.executable)"], null).Output.Trim();
        return Run(python, ["-I", "-S", .. arguments], "/nowhere");
    }

    private static (int Status, string Output) Run(string program, IEnumerable<string> arguments, string? path)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (path is not null) start.Environment["PATH"] = path;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd() + errors.Result;
        process.WaitForExit();
        return (process.ExitCode, output);
    }
}
