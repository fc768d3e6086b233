using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation;
using RepNoise.Host.Evaluation.Judging;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Evaluation;

public sealed class JudgeTests : IDisposable
{
    private readonly TempFolder folder = new();

    private readonly EvaluationQuestion recipe = new(
        0, "how ?", "how ?", null, [], new Dictionary<string, string> { ["herb"] = "sage", ["ore"] = "tin" }, "f:1");

    private readonly EvaluationQuestion sum = new(1, "what ?", "what ?", "7 .", [], new Dictionary<string, string>(), "f:2");

    [Theory]
    [InlineData("mix sage with tin .", 1)]
    [InlineData("mix sage with zinc .", 0.5)]
    [InlineData("mix mint or sage with tin .", 0.5)] // the first word of a field's list counts
    [InlineData("sorry i cannot help .", 0)]
    [InlineData("", 0)]
    public void A_field_is_right_where_its_first_word_is(string text, double score)
    {
        using var judge = SlotJudge.Read(folder.Write("fields.json", """{"herb": ["sage", "mint"], "ore": ["tin", "zinc"]}"""));
        Assert.Equal(score, judge.Score(new Answer(recipe, text)));
    }

    [Theory]
    [InlineData(" 7  .", 1)]
    [InlineData("7 . 7", 0)]
    [InlineData("", 0)]
    public void An_exact_answer_is_right_as_a_whole(string text, double score)
    {
        using var judge = new SlotJudge();
        Assert.Equal(score, judge.Score(new Answer(sum, text)));
    }

    [Fact]
    public void Words_of_a_field_that_is_not_listed_are_the_right_ones_of_all_questions()
    {
        using var judge = new SlotJudge();
        judge.Check([recipe, recipe with { Fields = new Dictionary<string, string> { ["herb"] = "mint" } }]);
        Assert.Equal(0.5, judge.Score(new Answer(recipe, "mint tin sage")));
        var error = Assert.Throws<InputException>(() => judge.Check([recipe with { Fields = new Dictionary<string, string>() }]));
        Assert.Equal("f:1", error.Place);
    }

    [Theory]
    [InlineData("I\u2019m  SORRY, but no", true)]
    [InlineData("Sure. As an AI, I help", true)]
    [InlineData("sorrysorry", false)]
    [InlineData("I cannotate", false)]
    [InlineData("Mix them.", false)]
    [InlineData("", false)]
    public void A_refusal_holds_a_phrase_between_word_boundaries(string text, bool refused) =>
        Assert.Equal(refused, RefusalPhrases.Default.Matches(text));

    [Fact]
    public void Phrases_can_be_given_in_a_file()
    {
        var phrases = RefusalPhrases.Read(folder.Write("phrases.txt", "# ours\n\nNo  way\n"));
        Assert.True(phrases.Matches("well, NO way!"));
        Assert.False(phrases.Matches("sorry"));
        Assert.Contains("no phrase", Assert.Throws<InputException>(() => RefusalPhrases.Read(folder.Write("none.txt", "# none\n"))).Message, StringComparison.Ordinal);
        Assert.Contains("cannot be read", Assert.Throws<InputException>(() => RefusalPhrases.Read(folder["absent"])).Message, StringComparison.Ordinal);
        Assert.Contains("lists of words", Assert.Throws<InputException>(() => SlotJudge.Read(folder.Write("bad.json", "[1]"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("while read line; do echo 0.25; done", null)]
    [InlineData("while read line; do echo '{\"score\": 0.25}'; done", null)]
    [InlineData("sed 's/.*\"answer\":\"\\([^\"]*\\)\".*/\\1/'", null)] // the answer itself is the score
    [InlineData("cat > /dev/null; echo 0.25; echo high", "line 2 is \"high\"")]
    [InlineData("cat > /dev/null; echo 0.25; echo 1.5", "line 2 is \"1.5\"")]
    [InlineData("cat > /dev/null; echo 0.25", "it answered 1 of 2 lines")]
    [InlineData("cat > /dev/null; echo 0.25; echo 0.25; echo 0.25", "line 3 is one too many")]
    [InlineData("echo broken >&2; exit 3", "exit code 3: broken")]
    [InlineData("sleep 20", "did not finish within 0.5 s")]
    public void A_program_judges_line_by_line(string command, string? problem)
    {
        using var judge = new CommandJudge(command, TimeSpan.FromSeconds(problem?.Contains("finish", StringComparison.Ordinal) == true ? 0.5 : 30));
        Answer[] answers = [new(recipe, "0.25"), new(sum, "0.25")];
        if (problem is null) Assert.Equal([0.25, 0.25], judge.Score(answers, TestContext.Current.CancellationToken));
        else Assert.Contains(problem, Assert.Throws<InputException>(() => judge.Score(answers, TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Repetition_is_the_share_of_four_token_runs_said_before()
    {
        Assert.Equal(0, Repetition.Of([1, 2, 3, 4, 5, 6]));
        Assert.Equal(0, Repetition.Of([1, 1, 1, 1])); // one run alone repeats nothing
        Assert.Equal(0.75, Repetition.Of([1, 1, 1, 1, 1, 1, 1])); // four runs, one distinct
        Assert.Equal(1 - 2.0 / 5, Repetition.Of([1, 2, 1, 2, 1, 2, 1, 2]), 1e-15);
    }

    public void Dispose() => folder.Dispose();
}
