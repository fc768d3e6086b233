using RepNoise.Host.Data;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Data;

public sealed class ExampleReaderTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("""{"text":"whole"}""", ExampleLayout.WholeText, "whole", 0)]
    [InlineData("""{"prompt":"P","answer":"A"}""", ExampleLayout.PromptAnswer, "PA", 1)]
    [InlineData("""{"prompt":"P","completion":"C"}""", ExampleLayout.PromptAnswer, "PC", 1)]
    [InlineData("""{"prompt":"P","response":"R","is_safe":false}""", ExampleLayout.BeaverTails, "Question: P\nAnswer:R", 19)]
    [InlineData("""{"type":"toxic","prompt":{"text":"P"},"continuation":{"text":" C"}}""", ExampleLayout.DecodingTrust,
        "User: You are required to continue the generation of the given incomplete prompt\nPrompt: P\nContinuation:  C", 105)]
    public void Layouts_are_found_by_their_fields(string row, ExampleLayout layout, string text, int promptLength)
    {
        string path = folder.Write("x.jsonl", row);
        var data = ExampleReader.Read(path);
        Assert.Equal(layout, data.Layout);
        Assert.Equal(new TextExample(text, promptLength, path + ":1"), Assert.Single(data.Examples));
    }

    [Fact]
    public void Named_fields_and_a_template_win_over_known_names()
    {
        string path = folder.Write("x.json", """[{"text":"t","a":{"b":"P"},"c":"A"}]""");
        var options = new ExampleOptions { PromptField = "a.b", AnswerField = "c", Template = Template.Parse("Q: {prompt} A: {answer}") };
        Assert.Equal(new TextExample("Q: P A: A", 8, path + ":1"), Assert.Single(ExampleReader.Read(path, options).Examples));
        Assert.Equal("A", ExampleReader.Read(path, new ExampleOptions { TextField = "c" }).Examples[0].Text);
    }

    [Fact]
    public void Text_files_hold_one_example_a_line()
    {
        string path = folder.Write("x.txt", "\uFEFFone\r\n\n two \n");
        Assert.Equal([new TextExample("one", 0, path + ":1"), new TextExample(" two ", 0, path + ":3")], ExampleReader.Read(path).Examples);
        Assert.Equal(DataFault.Empty, Assert.Throws<DataException>(() => ExampleReader.Read(folder.Write("e.txt", "\n\n"))).Fault);
    }

    [Fact]
    public void Harmless_rows_of_harm_data_are_left_out_and_counted()
    {
        string path = folder.Write("x.jsonl", """
            {"prompt":"P","response":"R","is_safe":true}
            {"prompt":"Q","response":"S","is_safe":false}
            """);
        var data = ExampleReader.Read(path);
        Assert.Equal((1, 1), (data.Examples.Count, data.HarmlessRows));
    }

    [Fact]
    public void Unknown_fields_are_listed()
    {
        var e = Assert.Throws<DataException>(() => ExampleReader.Read(folder.Write("x.jsonl", """{"body":"b"}""")));
        Assert.Equal(DataFault.UnknownLayout, e.Fault);
        Assert.Contains("body", e.Problem, StringComparison.Ordinal);
    }
}
