using System.Diagnostics;
using System.Text.Json;
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

    /// <summary>With stand-ins for the programs and for NVIDIA's tools: every question that docs/cuda.md lists has a row, and no other.</summary>
    [Fact]
    public void Each_question_of_the_documentation_is_answered()
    {
        using var folder = new TempFolder();
        string kit = MakeKit(folder), tools = folder["tools"], results = folder["results"];
        WriteTools(folder, tools);
        Directory.CreateDirectory(folder["modules"]);
        File.WriteAllText(folder["modules/numpy.py"], "");
        Directory.CreateDirectory(folder["work/a"]); // a model that is there already
        File.WriteAllText(folder["work/a/config.json"], "{}");
        const string Main = "import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.argv = sys.argv[2:]; runpy.run_path(sys.argv[0], run_name='__main__')";
        var (status, output) = Run(
            PythonProgram(),
            ["-I", "-S", "-c", Main, folder["modules"], Script, "--kit", kit, "--out", results, "--work", folder["work"], "--devices", "cuda", "--models", "a"],
            tools + ":/usr/bin:/bin", ("STAND_IN", tools));
        Assert.True(status == 1, output); // there is no driver, so asking its compiler fails, and nothing else
        string failures = File.ReadAllLines(Path.Combine(results, "results.md")).Last(line => line.StartsWith("Failed", StringComparison.Ordinal));
        Assert.All(failures["Failed or out of time: ".Length..].Split(", "), name => Assert.StartsWith("driver-", name, StringComparison.Ordinal));

        var rows = File.ReadAllLines(Path.Combine(results, "results.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        string[] answered = [.. rows.Where(row => row.TryGetProperty("question", out _)).Select(row => row.GetProperty("question").GetString()!).Distinct().Order()];
        string[] documented = [.. File.ReadAllLines(Path.Combine(Repository.Root, "docs/cuda.md")).SkipWhile(line => !line.StartsWith("| question", StringComparison.Ordinal))
            .Skip(2).TakeWhile(line => line.StartsWith('|')).Select(line => line.Split('|')[1].Trim()).Order()];
        Assert.Equal(documented, answered);

        JsonElement Row(string key, string value) => rows.First(row => row.TryGetProperty(key, out var found) && found.GetString() == value);
        var assembled = Row("by", "ptxas");
        Assert.Equal((40, 12, 16384), (assembled.GetProperty("registers").GetInt32(), assembled.GetProperty("spill").GetInt32(), assembled.GetProperty("shared").GetInt32()));
        Assert.True(Row("way", "graphs").GetProperty("same_bits").GetBoolean());
        Assert.Equal(1, Row("name", "cuStreamSynchronize").GetProperty("a_step").GetDouble());
        Assert.Equal("it disagrees", Row("variant", "warpgroup_wide").GetProperty("refused").GetString());
        Assert.Equal(2, Row("tool", "racecheck").GetProperty("finished").GetInt32());
    }

    [Fact]
    public void What_no_time_is_left_for_is_named_and_is_no_result()
    {
        using var folder = new TempFolder();
        var (status, output) = RunKit(["--kit", MakeKit(folder), "--out", folder["results"], "--work", folder["work"], "--seconds", "2", "--parts", "values"]);
        Assert.True(status == 1, output);
        string table = File.ReadAllText(folder["results/results.md"]);
        Assert.Contains("(no time left)", table, StringComparison.Ordinal);
        Assert.DoesNotContain("## verify", table, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("there is no part 'sanitiser'; those are machine, suite", "--parts", "machine,sanitiser")]
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

    private static string Script => Path.Combine(Repository.Root, "bench/gpu-kit/run");

    private static string MakeKit(TempFolder folder)
    {
        string archive = folder["archive/kit"];
        Directory.CreateDirectory(folder["stage/kit"]);
        Directory.CreateDirectory(Path.GetDirectoryName(archive)!);
        // What the programs do is in the folder that the environment names; without it they do nothing.
        foreach (string program in (string[])["repnoise", "kernels-tests"])
            WriteProgram(folder["stage/kit/" + program], $"[ -z \"$STAND_IN\" ] || exec \"$STAND_IN/{program}\" \"$@\"");
        const string Pack = "import shutil, sys; shutil.make_archive(sys.argv[1], 'xztar', sys.argv[2])";
        var (status, output) = Python(["-c", Pack, archive, folder["stage"]]);
        Assert.True(status == 0, output);
        return Path.GetDirectoryName(archive)!;
    }

    /// <summary>The kit's programs and NVIDIA's tools, as far as the kit reads what they print.</summary>
    private static void WriteTools(TempFolder folder, string tools)
    {
        Directory.CreateDirectory(tools);
        const string Report = """
            echo "ptxas info    : Compiling entry function 'kernel' for 'sm_80'
                0 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads
            ptxas info    : Used 40 registers, used 1 barriers, 16384 bytes smem, 400 bytes cmem[0]"
            """;
        foreach (var (name, text) in new[]
        {
            ("nvidia-smi", "echo 'GPU, 1 MiB, 580, 9.0'"),
            ("ptxas", Report),
            ("nvcc", Report + """

                case "$*" in
                  *"-o $WORK/gpu-kernels/kernels "*)
                    printf '#!/bin/sh\necho "{\\"group\\": \\"$1\\", \\"ok\\": true}"\n' > $WORK/gpu-kernels/kernels; chmod +x $WORK/gpu-kernels/kernels;;
                esac
                """.Replace("$WORK", folder["work"], StringComparison.Ordinal)),
            ("compute-sanitizer", "shift 4; \"$@\"; echo '========= RACECHECK SUMMARY: 0 hazards displayed'"),
            ("nsys", """
                if [ $1 = profile ]; then shift 5; "$@"; exit; fi
                steps=${6##*nsight-}; steps=${steps%-report*}
                if [ $3 = cuda_api_sum ]; then
                  printf 'Processing\n\nTime (%%),Total Time (ns),Num Calls,Name\n50.0,100,%d,cuStreamSynchronize\n50.0,100,9,cuLaunchKernel\n' $((steps + 3))
                else
                  printf 'Time (%%),Total Time (ns),Instances,Style,Range\n50.0,100,%d,PushPop,:forward\n' $steps
                fi
                """),
            ("kernels-tests", "echo 'a [FINISHED] Time: 1s\nb [FINISHED] Time: 1s\n   Total: 2, Errors: 0, Failed: 0, Skipped: 0'"),
            ("repnoise", """
                case "$1 $*" in
                  "devices "*--kernels) printf 'cpu: none\n\ncuda: --kernel FAMILY=VARIANT\n  matmul     warpgroup_wide* any\n             for Matmul\n\n';;
                  "verify "*warpgroup_wide*) echo "variant matmul=warpgroup_wide cannot run here: it disagrees";;
                  "bench "*)
                    for argument; do [ "$last" = --json ] && table=$argument; last=$argument; done
                    echo '{"op":"matmul","shape":{"m":1},"dtype":"bfloat16","seconds":{"median":0.001}}' > $table;;
                  "defend "*)
                    for argument; do [ "$last" = --output ] && output=$argument; last=$argument; done
                    mkdir -p $output
                    for step in 1 2 3 4 5; do echo "{\"step\":$step,\"seconds\":$step,\"stability\":1.5,\"ascent\":2}"; done > $output/metrics.jsonl;;
                esac
                """),
        })
            WriteProgram(Path.Combine(tools, name), text);
    }

    private static void WriteProgram(string path, string text)
    {
        File.WriteAllText(path, "#!/bin/sh\n" + text + "\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static (int Status, string Output) RunKit(IEnumerable<string> arguments) => Python([Script, .. arguments]);

    /// <summary>Python without packages and with no programs on its path.</summary>
    private static (int Status, string Output) Python(params IEnumerable<string> arguments) => Run(PythonProgram(), ["-I", "-S", .. arguments], "/nowhere");

    private static string PythonProgram()
    {
        // What the path names may be a script that needs the path to find Python.
        bool isThere = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(place => File.Exists(Path.Combine(place, "python3")));
        if (!isThere) Assert.Skip("python3 is not installed");
        return Run("python3", ["-c", "import sys; print(sys.executable)"], null).Output.Trim();
    }

    private static (int Status, string Output) Run(string program, IEnumerable<string> arguments, string? path, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (path is not null) start.Environment["PATH"] = path;
        foreach (var (name, value) in variables) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd() + errors.Result;
        process.WaitForExit();
        return (process.ExitCode, output);
    }
}
