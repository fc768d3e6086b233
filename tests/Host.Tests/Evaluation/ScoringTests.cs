using RepNoise.Host.Checkpoints;
using RepNoise.Host.Evaluation;
using RepNoise.Host.Evaluation.Scoring;
using RepNoise.Host.Model;
using RepNoise.Host.Tests.Support;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Evaluation;

/// <summary>Log-probabilities against plain forward passes, in double; windows against their definition.</summary>
public sealed class ScoringTests : IDisposable
{
    private readonly ModelFolder folder = ModelFolder.Open(Path.Combine(Goldens.Folder, "mistral"));
    private readonly Device device = Devices.Create("reference:float64");
    private readonly ModelParameters parameters;

    public ScoringTests()
    {
        parameters = new ModelParameters(folder.Config, device, ParameterUse.Inference);
        parameters.Load(folder.Read);
    }

    [Fact]
    public void Log_probabilities_are_those_of_plain_passes_whatever_is_shared()
    {
        TokenSequence[][] groups =
        [
            [new([1, 17, 99, 4, 7], 2)],
            [new([5, 6, 7, 8, 9], 3), new([5, 6, 7, 8], 3), new([5, 6, 7, 2, 3, 4, 11, 12, 13], 3)],
            [new([5, 6], 1), new([5, 7], 1)],
            [new([3, 4, 5], 1), new([9, 4, 5], 1)], // nothing shared
            [new([3, 4, 5, 6], 1), new([3, 4, 5, 6], 3)], // the same text twice
        ];
        using var scorer = new SequenceScorer(parameters, 9);
        var scores = scorer.Score(groups, TestContext.Current.CancellationToken).ToList();
        Assert.Equal(groups.Length, scores.Count);
        foreach (var (group, values) in groups.Zip(scores))
        {
            foreach (var (sequence, actual) in group.Zip(values))
            {
                double[] expected = Expected(sequence);
                Assert.Equal(expected.Length, actual.Length);
                for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-6);
            }
        }
    }

    [Fact]
    public void More_sequences_than_a_pass_holds_run_in_several()
    {
        TokenSequence[] sequences = [.. Enumerable.Range(0, 300).Select(i => new TokenSequence([1 + i % 7, 2, 3, 4, 5, 6, 7, 8, 9 + i % 5], 8))];
        using var cpu = Devices.Create("cpu");
        using var weights = new ModelParameters(folder.Config, cpu, ParameterUse.Inference);
        weights.Load(folder.Read);
        using var scorer = new SequenceScorer(weights, 9);
        var scores = scorer.Score(sequences, TestContext.Current.CancellationToken).ToList();
        Assert.Equal(300, scores.Count);
        for (int i = 35; i < 300; i++) Assert.Equal(scores[i - 35], scores[i]);
    }

    /// <summary>Its products sum the logits' rows and store none.</summary>
    [Fact]
    public void A_gpu_scores_without_memory_for_logits()
    {
        TokenSequence[] sequences = [new([1, 17, 99, 4, 7], 2)];
        using var cuda = Devices.Create(CudaName.Of(""));
        using var weights = new ModelParameters(folder.Config, cuda, ParameterUse.Inference);
        weights.Load(folder.Read);
        using var scorer = new SequenceScorer(weights, 9);
        var scores = scorer.Score(sequences, TestContext.Current.CancellationToken).Single();
        Assert.All(Expected(sequences[0]).Zip(scores), pair => Assert.Equal(pair.First, pair.Second, 0.1)); // in bfloat16
        Assert.Equal(0, cuda.Memory[MemoryCategory.Logits]);
    }

    [Theory]
    [InlineData(1, 4)]
    [InlineData(4, 4)]
    [InlineData(5, 4)]
    [InlineData(11, 4)]
    [InlineData(9, 1)]
    public void Windows_score_every_token_once_with_as_much_before_it_as_the_definition_gives(int length, int size)
    {
        int[] ids = [.. Enumerable.Range(100, length)];
        var windows = RollingWindows.Of(ids, 1, size).ToList();
        Assert.Equal(ids, windows.SelectMany(window => window.Ids[window.FirstTarget..]));
        int done = 0;
        foreach (var window in windows)
        {
            int end = done + window.Targets;
            // lm-evaluation-harness: the first window's inputs are the prefix and the text's beginning, later ones the W tokens before the last target.
            int[] inputs = done == 0 ? [1, .. ids[..(end - 1)]] : ids[(end - size - 1)..(end - 1)];
            Assert.Equal(inputs, window.Ids[..^1]);
            done = end;
        }
    }

    [Theory]
    [InlineData("one two", 2)]
    [InlineData(" one  two\n", 4)]
    [InlineData("one", 1)]
    public void Words_are_what_white_space_parts(string text, int words) => Assert.Equal(words, Perplexity.WordCount(text));

    public void Dispose()
    {
        parameters.Dispose();
        device.Dispose();
        folder.Dispose();
    }

    private double[] Expected(TokenSequence sequence)
    {
        float[] logits = ForwardPass.Logits(parameters, sequence.Ids);
        int v = folder.Config.VocabSize;
        return [.. Enumerable.Range(sequence.FirstTarget, sequence.Targets).Select(target =>
        {
            var row = logits.AsSpan((target - 1) * v, v).ToArray().Select(value => (double)value).ToArray();
            double max = row.Max();
            return row[sequence.Ids[target]] - max - Math.Log(row.Sum(value => Math.Exp(value - max)));
        })];
    }
}
