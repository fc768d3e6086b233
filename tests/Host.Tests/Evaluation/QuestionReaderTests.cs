using RepNoise.Host.Data;
using RepNoise.Host.Evaluation;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Evaluation;

public sealed class QuestionReaderTests : IDisposable
{
    private readonly TempFolder folder = new();

    [Fact]
    public void BeaverTails_rows_get_their_template_and_the_categories_that_are_true()
    {
        var questions = QuestionReader.Read(folder.Write("b.json", """
            [{"prompt": "P?", "response": "R", "category": {"animal_abuse": false, "theft": true, "drugs": true}, "is_safe": false},
             {"prompt": "Q?", "response": "S", "category": {"theft": false}, "is_safe": true}]
            """));
        var question = Assert.Single(questions);
        Assert.Equal(("Question: P?\nAnswer:", "R"), (question.Prompt, question.Reference));
        Assert.Equal(["theft", "drugs"], question.Categories);
    }

    [Fact]
    public void DecodingTrust_gives_its_test_rows()
    {
        var question = Assert.Single(QuestionReader.Read(folder.Write("d.jsonl", """
            {"type": "toxic", "prompt": {"text": "A"}, "continuation": {"text": "B"}}
            {"type": "toxic_test", "prompt": {"text": "C"}, "continuation": {"text": "D"}}
            """)));
        Assert.EndsWith("\nPrompt: C\nContinuation: ", question.Prompt, StringComparison.Ordinal);
        Assert.Equal("D", question.Reference);
    }

    [Fact]
    public void Plain_rows_take_named_fields_a_template_and_a_limit()
    {
        string path = folder.Write("p.jsonl", """
            {"q": "one", "kind": 3, "fields": {"herb": "sage"}, "answer": "7 ."}
            {"q": "two", "kind": 4}
            """);
        var options = new QuestionOptions { PromptField = "q", CategoryField = "kind", Template = Template.Parse("{prompt}!{answer}") };
        var questions = QuestionReader.Read(path, options);
        Assert.Equal(["one!", "two!"], questions.Select(q => q.Prompt));
        Assert.Equal(["3"], questions[0].Categories);
        Assert.Equal("sage", questions[0].Fields["herb"]);
        Assert.Equal(("7 .", null), (questions[0].Reference, questions[1].Reference));
        Assert.Single(QuestionReader.Read(path, options with { Limit = 1 }));
        var error = Assert.Throws<DataException>(() => QuestionReader.Read(path));
        Assert.Equal(DataFault.MissingField, error.Fault);
    }

    [Fact]
    public void A_file_without_a_harmful_question_is_refused()
    {
        var error = Assert.Throws<DataException>(() => QuestionReader.Read(folder.Write("s.jsonl", """{"prompt": "a", "is_safe": true}""")));
        Assert.Equal(DataFault.Empty, error.Fault);
    }

    [Theory]
    [InlineData("""{"context": "a", "choices": ["b"], "gold": 0}""", "two or more")]
    [InlineData("""{"context": "a", "choices": ["b", "c"], "gold": 2}""", "0 to 1")]
    [InlineData("""{"context": "a", "choices": ["b", 3], "gold": 0}""", "a list with a number")]
    [InlineData("""{"context": "a", "choices": "b", "gold": 0}""", "a list of texts")]
    [InlineData("""{"context": "a", "choices": ["b", "c"], "gold": "x"}""", "an integer")]
    [InlineData("""{"choices": ["b", "c"], "gold": 1}""", "no field \"context\"")]
    public void Choices_that_make_no_question_are_refused(string row, string problem)
    {
        var error = Assert.Throws<DataException>(() => MultipleChoice.Read(folder.Write("c.jsonl", row)));
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
        Assert.EndsWith("c.jsonl:1", error.Place, StringComparison.Ordinal);
    }

    public void Dispose() => folder.Dispose();
}
