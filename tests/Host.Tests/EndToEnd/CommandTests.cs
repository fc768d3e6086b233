using System.Text.Json;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary>Commands on a tiny model as a person would give them: what they print, and what they say of bad input.</summary>
public sealed class CommandTests
{
    [Fact]
    public void Generate_repeats_by_seed_and_reads_prompts_from_standard_input()
    {
        using var world = new TinyWorld();
        string[] sampled = ["generate", world.Model, "--temperature", "1.5", "--max-new-tokens", "8"];
        var first = TinyWorld.Run(CancellationToken.None, "what is 3 plus 4 ?\nreverse a b c ?\n", sampled);
        Assert.True(first.Code == 0, first.Error);
        string[] lines = first.Out.TrimEnd('\n').Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.StartsWith("what is 3 plus 4 ?", lines[0], StringComparison.Ordinal);
        Assert.Equal(first.Out, TinyWorld.Run(CancellationToken.None, "what is 3 plus 4 ?\nreverse a b c ?\n", sampled).Out);
        Assert.NotEqual(first.Out, TinyWorld.Run(CancellationToken.None, "what is 3 plus 4 ?\nreverse a b c ?\n", [.. sampled, "--seed", "7"]).Out);
    }

    [Fact]
    public void Tokenize_and_decode_are_each_others_inverse()
    {
        using var world = new TinyWorld();
        string text = JsonSerializer.Serialize("where is the village of cold river ? 🙂");
        var ids = TinyWorld.Run(CancellationToken.None, text + "\n", "tokenize", world.Model);
        Assert.Equal(0, ids.Code);
        Assert.Equal(1, JsonSerializer.Deserialize<int[]>(ids.Out)![0]); // bos
        var raw = TinyWorld.Run(CancellationToken.None, text + "\n", "tokenize", world.Model, "--no-special-tokens");
        Assert.Equal(JsonSerializer.Deserialize<int[]>(ids.Out)![1..], JsonSerializer.Deserialize<int[]>(raw.Out)!);
        var back = TinyWorld.Run(CancellationToken.None, ids.Out, "tokenize", world.Model, "--decode");
        Assert.Equal("where is the village of cold river ? 🙂", JsonSerializer.Deserialize<string>(back.Out));
    }

    [Fact]
    public void Inspect_and_devices_print_what_there_is()
    {
        using var world = new TinyWorld();
        var inspection = TinyWorld.Run("inspect", world.Model);
        Assert.Contains("model.layers.1.mlp.down_proj.weight", inspection.Out, StringComparison.Ordinal);
        Assert.Contains("4 heads of 8, 2 for keys and values", inspection.Out, StringComparison.Ordinal);
        var devices = TinyWorld.Run("devices");
        Assert.Contains("reference:bfloat16", devices.Out, StringComparison.Ordinal);
        var kernels = TinyWorld.Run("devices", "--kernels");
        Assert.StartsWith(devices.Out, kernels.Out, StringComparison.Ordinal);
        Assert.Contains("for AttentionForward, AttentionBackward", kernels.Out, StringComparison.Ordinal);
        Assert.Contains("reference:bfloat16: no variants to choose from", kernels.Out, StringComparison.Ordinal);
        Assert.Contains("ilgpu:opencl", devices.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Kernels_are_written_as_ptx_and_opencl_without_a_device()
    {
        using var folder = new TempFolder();
        string target = Path.Combine(folder.Path, "kernels");
        var result = TinyWorld.Run("devices", "--dump-ptx", target);
        Assert.True(result.Code == 0, result.Error);
        Assert.Contains(".target sm_80", File.ReadAllText(Path.Combine(target, "Matmul.Tile128.ptx")), StringComparison.Ordinal);
        Assert.Contains("kernel void", File.ReadAllText(Path.Combine(target, "AttentionForward.Forward.cl")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_is_not_there_is_refused_with_the_reason_and_those_that_are()
    {
        var absent = Kernels.Devices.List().FirstOrDefault(
            device => device.Refusal is not null && device.Name.StartsWith("ilgpu:", StringComparison.Ordinal));
        if (absent is null) Assert.Skip("this machine has every ILGPU device");
        using var world = new TinyWorld();
        var result = TinyWorld.Run("generate", world.Model, "--prompt", "a", "--device", absent!.Name);
        Assert.Equal(1, result.Code);
        Assert.Contains(absent.Name, result.Error, StringComparison.Ordinal);
        Assert.Contains(absent.Refusal!, result.Error, StringComparison.Ordinal);
        Assert.Contains("ilgpu:cpu", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_demo_runs_every_stage_and_prints_its_table()
    {
        using var folder = new TempFolder();
        var result = TinyWorld.Run("demo", "--steps-scale", "0.003", "--output", folder["demo"]);
        Assert.True(result.Code == 0, result.Error);
        string[] lines = [.. result.Out.Split('\n').Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))];
        foreach (string row in (string[])["aligned none - 0.", "aligned none short lr=3e-4 0.", "aligned repnoise short lr=1e-3 0.", "aligned repnoise rotating letters - 0.", "never learned none long 0."])
            Assert.Contains(lines, line => line.StartsWith(row, StringComparison.Ordinal));
        Assert.Equal("Report: " + folder["demo/report.html"], lines[^2]);
        foreach (string file in (string[])["results.json", "results.csv", "report.html", "cells/aligned--repnoise--42/model/model.safetensors", "cells/aligned--none--short_lr=3e-4--42/probe-depth.json"])
            Assert.True(File.Exists(Path.Combine(folder["demo"], file)), file);
        var again = TinyWorld.Run("demo", "--steps-scale", "0.003", "--output", folder["demo"]);
        Assert.Contains("23 of 23 cells are finished already", again.Error, StringComparison.Ordinal);
        Assert.Equal(1, TinyWorld.Run("demo", "--output", folder.Path).Code);
    }

    public static TheoryData<string, string[], string> Mistakes => new()
    {
        { "no such folder", ["defend", "{none}", "--pairs", "{pairs}", "--output", "{out}"], "there is no such folder" },
        { "no such pairs", ["defend", "{model}", "--pairs", "{none}", "--output", "{out}"], "cannot be opened" },
        { "wrong layout", ["defend", "{model}", "--pairs", "{retain}", "--output", "{out}"], "match no known layout" },
        { "output in use", ["defend", "{model}", "--pairs", "{pairs}", "--output", "{data}"], "choose another folder" },
        { "output is the model", ["defend", "{model}", "--pairs", "{pairs}", "--output", "{model}"], "is the folder" },
        { "layers that are not there", ["defend", "{model}", "--pairs", "{pairs}", "--output", "{out}", "--noise-layers", "1-2"], "layers 0-1" },
        { "texts cut to nothing", ["defend", "{model}", "--pairs", "{pairs}", "--output", "{out}", "--max-length", "3"], "max_length" },
        { "unknown device", ["defend", "{model}", "--pairs", "{pairs}", "--output", "{out}", "--device", "gpu"], "reference:float64" },
        { "unknown kernel", ["defend", "{model}", "--pairs", "{pairs}", "--output", "{out}", "--kernel", "matmul=fast"], "vector128" },
        { "no values", ["verify", "{model}"], "make_values.py" },
        { "no prompt", ["generate", "{model}"], "--prompt" },
        { "output cannot be made", ["defend", "{model}", "--pairs", "{pairs}", "--output", "{model}/config.json/x", "--max-steps", "1"], "config.json/x" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_is_told_in_one_line_that_helps(string mistake, string[] arguments, string help)
    {
        using var world = new TinyWorld();
        string[] line = [.. arguments.Select(a => a
            .Replace("{none}", world["nowhere"], StringComparison.Ordinal).Replace("{model}", world.Model, StringComparison.Ordinal)
            .Replace("{pairs}", world.Data("pairs.jsonl"), StringComparison.Ordinal).Replace("{retain}", world.Data("retain.jsonl"), StringComparison.Ordinal)
            .Replace("{data}", world.Data("model"), StringComparison.Ordinal).Replace("{out}", world["out"], StringComparison.Ordinal))];
        var result = TinyWorld.Run(line);
        Assert.True(result.Code == 1, $"{mistake}: exit {result.Code}, {result.Error}");
        string message = Assert.Single(result.Error.Split('\n'), l => l.StartsWith("repnoise: ", StringComparison.Ordinal));
        Assert.Contains(help, message, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("This is a bug", message, StringComparison.Ordinal);
    }
}
