using RepNoise.Host.Checkpoints;
using RepNoise.Host.Model;
using RepNoise.Host.Tests.Support;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Model;

/// <summary>The key/value cache against plain forward passes, and texts that do not depend on their neighbours.</summary>
public sealed class GeneratorTests : IDisposable
{
    private readonly ModelFolder folder = ModelFolder.Open(Path.Combine(Goldens.Folder, "mistral")); // window 7, grouped heads
    private readonly Device device = Devices.Create("cpu");
    private readonly ModelParameters parameters;

    public GeneratorTests()
    {
        parameters = new ModelParameters(folder.Config, device, ParameterUse.Inference);
        parameters.Load(folder.Read);
    }

    [Fact]
    public void Greedy_text_from_the_cache_is_that_of_full_forward_passes()
    {
        int[] ids = [1, 17, 99, 4];
        using var generator = new Generator(parameters, 1, 24);
        int[] added = generator.Generate([ids], 20, new SamplingOptions(), [])[0];
        var expected = ids.ToList();
        int v = folder.Config.VocabSize;
        for (int i = 0; i < 20; i++)
        {
            float[] logits = ForwardPass.Logits(parameters, [.. expected]);
            expected.Add(TokenSampler.ArgMax(logits.AsSpan(^v..)));
        }

        Assert.Equal(expected[4..], added);
    }

    [Fact]
    public void A_text_does_not_depend_on_what_is_generated_beside_it()
    {
        int[][] prompts = [[1, 17, 99, 4], [5], [1, 2, 3, 4, 5, 6, 7, 8, 9]];
        var sampling = new SamplingOptions { Temperature = 0.9, TopP = 0.95, Seed = 3 };
        using var together = new Generator(parameters, 3, 24);
        using var alone = new Generator(parameters, 1, 24);
        var batch = together.Generate(prompts, 12, sampling, []);
        for (int i = 0; i < prompts.Length; i++)
            Assert.Equal(alone.Generate([prompts[i]], 12, sampling, [], firstStream: i)[0], batch[i]);
        Assert.Equal(batch, together.Generate(prompts, 12, sampling, [])); // again, from a used cache
    }

    [Fact]
    public void An_end_id_ends_a_text_and_is_not_part_of_it()
    {
        using var generator = new Generator(parameters, 2, 24);
        int[][] prompts = [[1, 17, 99, 4], [5]];
        var free = generator.Generate(prompts, 10, new SamplingOptions(), []);
        int end = free[0][3];
        var told = new List<(int, int)>();
        var ended = generator.Generate(prompts, 10, new SamplingOptions(), [end], (sequence, id) => told.Add((sequence, id)));
        Assert.Equal(free[0].TakeWhile(id => id != end), ended[0]);
        Assert.Equal(free[1].TakeWhile(id => id != end), ended[1]);
        Assert.Equal(ended[0], told.Where(t => t.Item1 == 0).Select(t => t.Item2));
    }

    [Fact]
    public void The_planned_length_ends_a_text()
    {
        using var generator = new Generator(parameters, 1, 10);
        Assert.Equal(6, generator.Generate([[1, 2, 3, 4]], 50, new SamplingOptions(), [])[0].Length);
    }

    public void Dispose()
    {
        parameters.Dispose();
        device.Dispose();
        folder.Dispose();
    }
}
