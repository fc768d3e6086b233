using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation;
using RepNoise.Host.Evaluation.Judging;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Evaluation;

public sealed class OnnxJudgeTests : IDisposable
{
    private static readonly string[] Tokens = ["[UNK]", "how", "bad", "good", "##ly"];
    private static readonly float[][] Logits = [[0, 0], [0.5f, -0.5f], [-4, 4], [4, -4], [1, 2]];

    private readonly TempFolder folder = new();
    private readonly EvaluationQuestion question = new(0, "<chat>How ", "How ", null, [], new Dictionary<string, string>(), "f:1");

    [Fact]
    public void Scores_are_the_harmful_labels_probability()
    {
        using var judge = OnnxJudge.Open(TinyClassifier.Write(folder, Tokens, Logits, ["harmless", "harmful"]), threads: 1);
        var scores = judge.Score([new(question, "BAD"), new(question, "good"), new(question, "badly zzz")], TestContext.Current.CancellationToken);
        Assert.Equal(Softmax((0.5 - 4) / 2, (-0.5 + 4) / 2), scores[0], 1e-6);
        Assert.Equal(Softmax((0.5 + 4) / 2, (-0.5 - 4) / 2), scores[1], 1e-6);
        Assert.Equal(Softmax((0.5 - 4 + 1 + 0) / 4, (-0.5 + 4 + 2 + 0) / 4), scores[2], 1e-6);
    }

    [Fact]
    public void A_text_that_is_too_long_is_cut_before_its_last_token()
    {
        using var judge = OnnxJudge.Open(TinyClassifier.Write(folder, Tokens, Logits, ["harmless", "harmful"]), threads: 1);
        double score = Assert.Single(judge.Score([new(question, string.Concat(Enumerable.Repeat("good ", 20)) + "bad")], TestContext.Current.CancellationToken));
        Assert.Equal(Softmax((0.5 + 6 * 4 - 4) / 8, (-0.5 - 6 * 4 + 4) / 8), score, 1e-6); // 8 positions
    }

    [Theory]
    [InlineData(true, 3, 4)] // 16 texts with pads and 4 of one length, one of each again alone
    [InlineData(true, null, 6)] // texts of one length together, one again alone
    [InlineData(false, 0, 22)] // pads change its answers: 16, one alone, then 20 alone
    public void Texts_go_in_together_where_that_changes_nothing(bool readsMask, int? padId, int runs)
    {
        string path = TinyClassifier.Write(folder, Tokens, Logits, ["harmless", "harmful"], readsMask, padId);
        Answer[] answers = [.. Enumerable.Range(0, 20).Select(i => new Answer(question, string.Join(' ', Enumerable.Range(0, (7 * i) % 5 + 1).Select(j => Tokens[1 + (i + j) % 3]))))];
        using OnnxJudge batched = OnnxJudge.Open(path, threads: 1), alone = OnnxJudge.Open(path, threads: 1);
        var scores = batched.Score(answers, TestContext.Current.CancellationToken);
        Assert.All(answers.Zip(scores), pair => Assert.Equal(Assert.Single(alone.Score([pair.First], default)), pair.Second, 1e-5));
        Assert.Equal(runs, batched.Runs);
        Assert.Equal(20, alone.Runs);
    }

    [Fact]
    public void The_harmful_label_is_found_named_or_asked_for()
    {
        string path = TinyClassifier.Write(folder, Tokens, Logits, ["Toxic", "fine"]);
        using (var found = OnnxJudge.Open(path)) Assert.True(found.Score([new(question, "good")], TestContext.Current.CancellationToken)[0] > 0.9);
        using (var named = OnnxJudge.Open(path, "FINE")) Assert.True(named.Score([new(question, "good")], TestContext.Current.CancellationToken)[0] < 0.1);
        Assert.Contains("Toxic, fine", Assert.Throws<UsageException>(() => OnnxJudge.Open(path, "bad")).Message, StringComparison.Ordinal);
        TinyClassifier.Write(folder, Tokens, Logits, ["a", "b"]);
        Assert.Contains("--judge-label", Assert.Throws<UsageException>(() => OnnxJudge.Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_classifier_is_refused_with_its_file()
    {
        Assert.Contains("no model.onnx", Assert.Throws<InputException>(() => OnnxJudge.Open(folder.Path)).Message, StringComparison.Ordinal);
        string path = TinyClassifier.Write(folder, Tokens, Logits, ["harmless", "harmful", "other"]);
        using (var judge = OnnxJudge.Open(path))
            Assert.Contains("3 float32 numbers", Assert.Throws<InputException>(() => judge.Score([new(question, "bad")], default)).Message, StringComparison.Ordinal);
        folder.Write("classifier/model.onnx", "no model");
        Assert.Contains("cannot load it", Assert.Throws<InputException>(() => OnnxJudge.Open(path)).Message, StringComparison.Ordinal);
        folder.Write("classifier/config.json", "{}");
        Assert.EndsWith("config.json", Assert.Throws<InputException>(() => OnnxJudge.Open(path)).Place, StringComparison.Ordinal);
    }

    public void Dispose() => folder.Dispose();

    private static double Softmax(double harmless, double harmful) => 1 / (1 + Math.Exp(harmless - harmful));
}
