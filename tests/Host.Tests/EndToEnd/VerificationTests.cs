using RepNoise.Host.Checkpoints;
using RepNoise.Host.Evaluation.Verification;
using RepNoise.Host.Tests.Support;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary>
/// Our engine against PyTorch's values: the committed golden models everywhere, the whole reference set where it lies beside
/// the checkout (a name in the list of tests says which ran).
/// </summary>
public sealed class VerificationTests
{
    private static readonly string[] All = ["llama-mha", "llama3-gqa", "qwen2", "qwen3", "mistral", "llama-pad-eos"];

    public static TheoryData<string> ModelNames() => new(Goldens.Reference is null ? Committed() : All);

    public static TheoryData<string, string> Models()
    {
        var data = new TheoryData<string, string>();
        foreach (string model in Goldens.Reference is null ? Committed() : All)
        {
            data.Add(model, "cpu");
            data.Add(model, "reference:float32");
            data.Add(model, "reference:float64");
            data.Add(model, "ilgpu:cuda-sim");
            data.Add(model, "ilgpu:cuda");
        }

        return data;
    }

    public static TheoryData<string, string> CudaModels()
    {
        var data = new TheoryData<string, string>();
        foreach (string model in Goldens.Reference is null ? Committed() : All)
        {
            data.Add(model, "");
            data.Add(model, ":float32");
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Every_value_is_within_tolerance(string model, string device)
    {
        var report = Verify(PathOf(model), device);
        Assert.True(report.Passed, Print(report));
        Assert.True(report.Rows.Sum(r => r.Tensors) > 150, "too few values were compared");
    }

    [Theory]
    [InlineData("mistral")]
    [InlineData("qwen2")]
    public void The_committed_goldens_are_verified_wherever_the_suite_runs(string model)
    {
        var report = Verify(Path.Combine(Goldens.Folder, model), "cpu");
        Assert.True(report.Passed, Print(report));
    }

    /// <summary>Every kernel in C# in a debugger's reach; slow, so the smallest model only.</summary>
    [Fact]
    public void The_smallest_model_is_within_tolerance_on_the_cpu_accelerator()
    {
        var report = Verify(Path.Combine(Goldens.Folder, "mistral"), "ilgpu:cpu");
        Assert.True(report.Passed, Print(report));
    }

    [Theory]
    [MemberData(nameof(ModelNames))]
    public void Recomputed_layers_are_within_tolerance_too(string model)
    {
        var result = TinyWorld.Run("verify", PathOf(model), "--gradient-checkpointing");
        Assert.True(result.Code == 0, result.Out + result.Error);
    }

    [Theory]
    [InlineData("vector128")]
    [InlineData("vector256")]
    public void Narrower_vectors_are_within_tolerance_too(string width)
    {
        string[] families = ["attention", "norm", "swiglu", "mmd_gaussian", "linear_cross_entropy", "adamw", "rotary", "embedding"];
        var kernels = families.ToDictionary(f => f, _ => width);
        using var device = Devices.Create("cpu", new DeviceOptions { Kernels = kernels });
        var report = Verify(Path.Combine(Goldens.Folder, "qwen2"), device);
        Assert.True(report.Passed, Print(report));
    }

    [Theory]
    [MemberData(nameof(ModelNames))]
    public void Products_in_tile_registers_are_within_tolerance_too(string model)
    {
        var result = TinyWorld.Run("verify", PathOf(model), "--kernel", "matmul=amx", "--kernel", "linear_cross_entropy=amx");
        Assert.SkipWhen(result.Error.Contains("cannot run on this machine", StringComparison.Ordinal), result.Error);
        Assert.True(result.Code == 0, result.Out + result.Error);
    }

    [Theory]
    [MemberData(nameof(CudaModels))]
    public void The_cuda_devices_are_within_tolerance(string model, string format)
    {
        using var device = Devices.Create(CudaName.Of(format));
        var report = Verify(PathOf(model), device);
        Assert.True(report.Passed, Print(report));
        Assert.True(report.Rows.Sum(r => r.Tensors) > 150, "too few values were compared");
    }

    [Fact]
    public void Weights_in_bfloat16_are_within_tolerance()
    {
        using var device = Devices.Create(CudaName.Of(""), new DeviceOptions { StateFormat = NumberFormat.BFloat16 });
        var report = Verify(Path.Combine(Goldens.Folder, "mistral"), device);
        Assert.True(report.Passed, Print(report));
    }

    [Fact]
    public void Kernels_are_forced_for_verify_and_generate()
    {
        string model = Path.Combine(Goldens.Folder, "qwen2");
        var verified = TinyWorld.Run("verify", model, "--kernel", "matmul=vector128");
        Assert.True(verified.Code == 0, verified.Out + verified.Error);
        using var world = new TinyWorld();
        foreach (string[] line in (string[][])[["verify", model], ["generate", world.Model, "--prompt", "a"]])
        {
            var refused = TinyWorld.Run([.. line, "--kernel", "matmul=nonsense"]);
            Assert.Equal(1, refused.Code);
            Assert.Contains("nonsense", refused.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_bfloat16_device_is_judged_by_the_naive_loops()
    {
        var (found, naive) = (new VerificationReport(), new VerificationReport());
        foreach (var (report, share) in new[] { (found, 1.0), (naive, 0.4) })
        {
            report.Add("logits", "logits", 0.1 * share, Tolerances.Logits);
            report.Add("ce.grad", "ce.grad.a", 0.1 * share, Tolerances.Gradient);
            report.Add("ce.loss", "ce.loss", 0.001, Tolerances.Loss);
            report.Add("greedy_ids", "greedy_ids", share > 0.5 ? 1 : 0, 0);
        }

        var judged = found.WithBFloat16Tolerances(naive);
        Assert.Equal([false, true, true, true], judged.Rows.Select(row => row.Passed));
    }

    [Fact]
    public void A_wrong_value_is_found_and_named()
    {
        using var folder = new TempFolder();
        string source = Path.Combine(Goldens.Folder, "mistral");
        byte[] values = File.ReadAllBytes(Path.Combine(source, "values.safetensors"));
        var damaged = NaiveSafetensors.Read(Path.Combine(source, "values.safetensors"))["repnoise.grad.model.layers.1.mlp.up_proj.weight"];
        int at = values.AsSpan().IndexOf(damaged.Bytes);
        BitConverter.GetBytes(BitConverter.ToSingle(values, at) + 1f).CopyTo(values, at);
        string path = folder.Write("values.safetensors", values);
        var result = TinyWorld.Run("verify", source, "--values", path);
        Assert.Equal(1, result.Code);
        string line = Assert.Single(result.Out.Split('\n'), l => l.EndsWith("OVER", StringComparison.Ordinal));
        Assert.Contains("repnoise.grad.model.layers.1.mlp.up_proj.weight", line, StringComparison.Ordinal);
    }

    private static string[] Committed() => [.. All.Where(m => Directory.Exists(Path.Combine(Goldens.Folder, m)))];

    private static string PathOf(string model) => Path.Combine(Goldens.Reference ?? Goldens.Folder, model);

    private static VerificationReport Verify(string path, string deviceName)
    {
        if (Devices.List().Single(device => device.Name == deviceName).Refusal is { } refusal) Assert.Skip($"{deviceName}: {refusal}");
        using var device = Devices.Create(deviceName);
        return Verify(path, device);
    }

    private static VerificationReport Verify(string path, Device device)
    {
        using var folder = ModelFolder.Open(path);
        using var values = new ReferenceValues(Path.Combine(path, "values.safetensors"));
        return Verifier.Verify(folder.Config, folder.Read, values, device);
    }

    private static string Print(VerificationReport report)
    {
        using var writer = new StringWriter();
        report.WriteTo(writer);
        return writer.ToString();
    }
}
