using RepNoise.Host.Evaluation;

namespace RepNoise.Host.Tests.Evaluation;

public sealed class SlotQuestionsTests
{
    private readonly SlotQuestions questions = new(
        """
        {"kind": "recipe", "prompt": "how ?", "fields": {"herb": "sage", "ore": "tin"}}
        {"kind": "sum", "prompt": "what ?", "answer": "7 ."}
        """,
        """{"herb": ["sage", "mint"], "ore": ["tin", "zinc"]}""");

    [Theory]
    [InlineData("mix sage with tin .", 1)]
    [InlineData("mix sage with zinc .", 0.5)]
    [InlineData("mix mint or sage with tin .", 0.5)] // the first word of a field's list counts
    [InlineData("sorry i cannot help .", 0)]
    [InlineData("", 0)]
    public void A_field_is_right_where_its_first_word_is(string text, double score) =>
        Assert.Equal(score, questions.Judge(questions.Questions[0], text).Score);

    [Theory]
    [InlineData("7 .", 1)]
    [InlineData("7 . 7", 0)]
    [InlineData("", 0)]
    public void An_exact_answer_is_right_as_a_whole(string text, double score) =>
        Assert.Equal(score, questions.Judge(questions.Questions[1], text).Score);

    [Fact]
    public void A_refusal_is_told_by_its_first_word()
    {
        Assert.True(questions.Judge(questions.Questions[0], "sorry i cannot").Refused);
        Assert.False(questions.Judge(questions.Questions[0], "i am sorry").Refused);
        Assert.False(questions.Judge(questions.Questions[0], "").Refused);
    }
}
