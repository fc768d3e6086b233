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

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(9)]
    public void Every_logit_is_the_same_to_the_bit_for_any_batch_size(int batchSize)
    {
        int[][] prompts = [.. Enumerable.Range(0, 9).Select(i => Enumerable.Range(0, 1 + i * 5 % 13).Select(j => 1 + (i * 31 + j * 7) % 90).ToArray())];
        var alone = Logits(prompts, 9);
        var batched = Logits(prompts, batchSize);
        Assert.Equal(alone.Count, batched.Count);
        foreach (var (key, value) in alone) Assert.True(value.AsSpan().SequenceEqual(batched[key]), $"prompt {key.Prompt}, token {key.Token}");
    }

    [Fact]
    public void A_slot_that_becomes_free_takes_the_next_prompt()
    {
        int[][] prompts = [[1, 2], [3], [4, 5, 6, 7, 8, 9, 10], [11, 12], [1, 2]];
        using var generator = new Generator(parameters, 2, 24);
        var ended = new List<int>();
        var texts = generator.Generate(prompts, 6, new SamplingOptions(), [], onEnd: ended.Add);
        Assert.Equal(Enumerable.Range(0, 5), ended.Order());
        Assert.All(texts, text => Assert.Equal(6, text.Length));
        Assert.Equal(texts[0], texts[4]);
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

    private Dictionary<(int Prompt, int Token), float[]> Logits(int[][] prompts, int batchSize)
    {
        var logits = new Dictionary<(int, int), float[]>();
        using var generator = new Generator(parameters, batchSize, 24);
        var tokens = new int[prompts.Length];
        generator.OnLogits = (prompt, row) => logits.Add((prompt, tokens[prompt]++), row.ToArray());
        generator.Generate(prompts, 6, new SamplingOptions { Temperature = 1, Seed = 3 }, []);
        return logits;
    }

    public void Dispose()
    {
        parameters.Dispose();
        device.Dispose();
        folder.Dispose();
    }
}
