using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary>Whole runs of the program on the CUDA device.</summary>
public sealed class CudaRunTests
{
    private static readonly string[] Few = ["--max-steps", "2", "--per-device-train-batch-size", "2", "--max-length", "24", "--learning-rate", "1e-3"];

    [Fact]
    public void A_run_repeats_bit_for_bit()
    {
        using var world = new TinyWorld();
        byte[] first = Defend(world, "a", CudaName.Of("")), second = Defend(world, "b", CudaName.Of(""));
        Assert.Equal(first, second);
        Assert.NotEqual(File.ReadAllBytes(Path.Combine(world.Model, "model.safetensors")), first);
    }

    [Fact]
    public void Weights_and_moments_in_bfloat16_train_too()
    {
        using var world = new TinyWorld();
        byte[] narrow = Defend(world, "narrow", CudaName.Of(""), "--state-dtype", "bfloat16");
        var weights = NaiveSafetensors.Read(world["narrow/model.safetensors"]);
        Assert.All(weights.Values, tensor => Assert.All(tensor.Floats(), v => Assert.Equal(v, BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(v) & 0xFFFF0000))));
        Assert.NotEqual(Defend(world, "wide", CudaName.Of("")), narrow);

        string[] stochastic = ["--state-dtype", "bfloat16", "--state-rounding", "stochastic"];
        byte[] first = Defend(world, "first", CudaName.Of(""), stochastic);
        Assert.NotEqual(narrow, first);
        Assert.Equal(first, Defend(world, "second", CudaName.Of(""), stochastic));
    }

    [Theory]
    [InlineData("state_dtype is float32")]
    [InlineData("optim is sgd", "--state-dtype", "bfloat16", "--optim", "sgd")]
    public void Stochastic_rounding_is_for_adam_in_bfloat16(string problem, params string[] options)
    {
        using var world = new TinyWorld();
        var result = TinyWorld.Run(["defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--output", world["out"], "--device", CudaName.Of(""),
            "--state-rounding", "stochastic", .. options]);
        Assert.Equal(1, result.Code);
        Assert.Contains(problem, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Devices_without_bfloat16_refuse_it_for_weights()
    {
        using var world = new TinyWorld();
        var result = TinyWorld.Run(["defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--output", world["out"], "--state-dtype", "bfloat16", .. Few]);
        Assert.NotEqual(0, result.Code);
        Assert.Contains("Use device cuda", result.Error, StringComparison.Ordinal);
    }

    private static byte[] Defend(TinyWorld world, string output, string device, params string[] more)
    {
        var result = TinyWorld.Run(["defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--output", world[output], "--device", device, .. Few, .. more]);
        Assert.True(result.Code == 0, result.Error);
        return File.ReadAllBytes(world[$"{output}/model.safetensors"]);
    }
}
