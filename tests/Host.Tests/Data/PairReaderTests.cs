using RepNoise.Host.Data;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Data;

public sealed class PairReaderTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void BeaverTails_takes_the_unsafe_rows_and_the_refusal_as_a_whole_text()
    {
        string path = folder.Write("b.json", """
            [
              {"prompt": "P?", "response": "R", "category": {"animal_abuse": true}, "is_safe": false, "refusal": "Question: P?\nAnswer: No."},
              {"prompt": "Q?", "response": "S", "category": {"animal_abuse": false}, "is_safe": true, "refusal": "x"}
            ]
            """);
        var data = PairReader.Read(path);
        Assert.Equal((PairLayout.BeaverTails, 2, 1, 0), (data.Layout, data.Rows, data.HarmlessRows, data.PromptMismatches));
        Assert.Equal(new TextPair("Question: P?\nAnswer:R", "Question: P?\nAnswer: No.", "Question: P?\nAnswer:", path + ":2"),
            Assert.Single(data.Pairs));
    }

    [Fact]
    public void The_demo_s_line_break_after_Answer_is_a_template()
    {
        string path = folder.Write("b.jsonl", """{"prompt":"P","response":"R","is_safe":false,"refusal":"Question: P\nAnswer:\nNo."}""");
        var data = PairReader.Read(path, new PairOptions { Template = Template.Parse(@"Question: {prompt}\nAnswer:\n{answer}") });
        Assert.Equal("Question: P\nAnswer:\nR", data.Pairs[0].Harmful);
        Assert.Equal("Question: P\nAnswer:\n", data.Pairs[0].Prompt);
    }

    [Theory]
    [InlineData("Prompt: P\\nContinuation: I cannot.")]
    [InlineData("I cannot.")]
    [InlineData("User: You are required to continue the generation of the given incomplete prompt\\nPrompt: P\\nContinuation: I cannot.")]
    public void DecodingTrust_takes_the_toxic_rows_and_every_form_of_refusal(string refusal)
    {
        string path = folder.Write("d.json", $$$"""
            {"type":"toxic","prompt":{"text":"P","toxicity":0.9},"continuation":{"text":" C"},"refusal":"{{{refusal}}}"}
            {"type":"non_toxic","prompt":{"text":"P"},"continuation":{"text":" C"}}
            """);
        var data = PairReader.Read(path);
        Assert.Equal((PairLayout.DecodingTrust, 1), (data.Layout, data.HarmlessRows));
        const string head = "User: You are required to continue the generation of the given incomplete prompt\nPrompt: P\nContinuation: ";
        Assert.Equal((head + " C", head + "I cannot.", head), (data.Pairs[0].Harmful, data.Pairs[0].Harmless, data.Pairs[0].Prompt));
    }

    [Fact]
    public void Generic_rows_name_fields_and_template_and_skip_blank_lines()
    {
        string path = folder.Write("g.jsonl",
            "\uFEFF\n{\"q\":{\"en\":\"P\"},\"bad\":\"B\",\"good\":\"G\"}\r\n  \n{\"q.en\":\"Z\",\"bad\":\"\",\"good\":\"H\"}");
        var options = new PairOptions { PromptField = "q.en", HarmfulField = "bad", HarmlessField = "good" };
        var joined = PairReader.Read(path, options);
        Assert.Equal([new TextPair("PB", "PG", "P", path + ":2"), new TextPair("Z", "ZH", "Z", path + ":4")], joined.Pairs);
        var templated = PairReader.Read(path, options with { Template = Template.Parse("<{prompt}> {answer}.") });
        Assert.Equal("<P> B.", templated.Pairs[0].Harmful);
    }

    [Fact]
    public void A_refusal_that_does_not_open_with_the_prompt_is_counted()
    {
        string path = folder.Write("b.jsonl", """{"prompt":"P","response":"R","is_safe":false,"refusal":"No."}""");
        Assert.Equal(1, PairReader.Read(path).PromptMismatches);
    }

    [Fact]
    public void A_missing_field_names_the_fields_and_the_nearest()
    {
        string path = folder.Write("g.jsonl", """
            {"prompt":"P","harmful":"B","harmless":"G"}
            {"prompt":"P","harmfull":"B","harmless":"G"}
            """);
        var e = Assert.Throws<DataException>(() => PairReader.Read(path));
        Assert.Equal((DataFault.MissingField, path + ":2"), (e.Fault, e.Place));
        Assert.Contains("prompt, harmfull, harmless", e.Message, StringComparison.Ordinal);
        Assert.Contains("did you mean \"harmfull\"", e.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"prompt":"P","harmful":3,"harmless":"G"}""", "a number")]
    [InlineData("""{"prompt":"P","harmful":null,"harmless":"G"}""", "null")]
    [InlineData("""{"prompt":"P","harmful":["B"],"harmless":"G"}""", "an array")]
    public void A_field_of_another_kind_is_named(string row, string kind)
    {
        string path = folder.Write("g.jsonl", """{"prompt":"P","harmful":"B","harmless":"G"}""" + "\n" + row);
        var e = Assert.Throws<DataException>(() => PairReader.Read(path));
        Assert.Equal((DataFault.WrongType, path + ":2"), (e.Fault, e.Place));
        Assert.Contains(kind, e.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_fields_and_files_without_harm_are_refused()
    {
        var e = Assert.Throws<DataException>(() => PairReader.Read(folder.Write("u.jsonl", """{"a":"b"}""")));
        Assert.Equal(DataFault.UnknownLayout, e.Fault);
        string safe = folder.Write("s.jsonl", """{"prompt":"P","response":"R","is_safe":true,"refusal":"No."}""");
        Assert.Equal(DataFault.Empty, Assert.Throws<DataException>(() => PairReader.Read(safe)).Fault);
    }
}
