using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Tests.Data;

public class TemplateTests
{
    [Theory]
    [InlineData(@"Question: {prompt}\nAnswer: {answer}", "Question: P\nAnswer: ", "Question: P\nAnswer: A")]
    [InlineData("{prompt}{answer}", "P", "PA")]
    [InlineData("{{{prompt}}} {prompt}\\t{answer} \\\\end", "{P} P\t", "{P} P\tA \\end")]
    public void Text_is_head_answer_and_tail(string template, string head, string text)
    {
        var parsed = Template.Parse(template);
        Assert.Equal((head, text), (parsed.Head("P"), parsed.Text("P", "A")));
    }

    [Fact]
    public void What_is_filled_in_is_not_read_as_a_template() =>
        Assert.Equal(@"{answer}\n|{prompt}", Template.Parse("{prompt}|{answer}").Text(@"{answer}\n", "{prompt}"));

    [Theory]
    [InlineData("", "{answer} is missing")]
    [InlineData("{prompt}", "{answer} is missing")]
    [InlineData("{answer}{prompt}", "{answer} stands before {prompt}")]
    [InlineData("{prompt}{answer}{prompt}", "{prompt} stands after {answer}")]
    [InlineData("{prompt}{answer}{answer}", "{answer} stands after {answer}")]
    [InlineData("{question}{answer}", "\"question\" is no placeholder")]
    [InlineData("{prompt", "is no placeholder")]
    [InlineData("prompt} {answer}", "a closing brace stands alone")]
    [InlineData(@"{prompt}\x{answer}", @"unknown escape \x")]
    [InlineData(@"{prompt}{answer}\", "it ends in a backslash")]
    public void Slips_are_named(string template, string problem)
    {
        var e = Assert.Throws<UsageException>(() => Template.Parse(template));
        Assert.Equal("--template", e.Place);
        Assert.Contains(problem, e.Problem, StringComparison.Ordinal);
    }
}
