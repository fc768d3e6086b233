using System.Text;
using RepNoise.Host.Configuration;
using RepNoise.Host.Experiments;

namespace RepNoise.Host.Tests.Hostile;

/// <summary>YAML that is small, or looks like it, and asks for much time or memory of the library that reads it.</summary>
public sealed class HostileYamlTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Texts of whole blocks of the library's buffer, that end on a line which it skips: it skipped on behind the end.</summary>
    public static TheoryData<string> EndingWithABlock => new(
        from blocks in (int[])[1, 2]
        from line in (string[])["%X ", "%YAML- ", "a: b\n... ", "a: b\n--- "]
        from end in (string[])["y", "\n"]
        select line.PadRight(1024 * blocks - 1, 'y') + end);

    [Theory]
    [MemberData(nameof(EndingWithABlock))]
    public async Task A_text_that_ends_where_a_block_does_is_read_to_its_end(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        await Task.Run(() => Try(() => FlatYaml.Parse(bytes, "run.yaml"))).WaitAsync(Patience, TestContext.Current.CancellationToken);
        await Task.Run(() => Try(() => YamlTree.Parse(bytes, "run.yaml"))).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public void What_keeps_the_end_inside_a_block_is_no_part_of_the_last_value()
    {
        foreach (string end in (string[])["", "\n"])
        {
            string value = new('v', 1024 - 3 - end.Length);
            Assert.Equal([value], Assert.Single(FlatYaml.Parse(Encoding.UTF8.GetBytes("a: " + value + end), "run.yaml")).Texts);
        }
    }

    /// <summary>Bytes that the library allocates tell what it did, on any machine; without the bounds it is 10 to 280 times the text.</summary>
    public static TheoryData<string, string> Wide => new()
    {
        { "kernel: " + new string('[', 1000), "a nested value in kernel" },
        { "a: " + string.Concat(Enumerable.Repeat("{\"a\":", 1000)), "nested keys" },
        { "kernel: [" + string.Concat(Enumerable.Repeat("a,", 30_000)) + "]", "found more than 3000 keys, values and signs" },
        { "{" + string.Concat(Enumerable.Range(0, 6000).Select(i => $"k{i}: 1,")) + "}", "found more than 3000 keys, values and signs" },
        { string.Concat(Enumerable.Range(0, 6000).Select(i => $"k{i}: 1\n")), "run.yaml:750: found more than 3000 keys, values and signs" },
        { string.Concat(Enumerable.Range(0, 4000).Select(i => $"%TAG !{i}! x\n")) + "---\na: b\n", "run.yaml:1: found a line %TAG" },
        { "a: !" + new string('t', 60_000) + " b", "found a tag" },
        { "a: &" + new string('t', 60_000) + " b", "found an anchor" },
        { new string('x', 70_000), "holds 70000 bytes; expected a configuration of at most 65536" },
    };

    [Theory]
    [MemberData(nameof(Wide))]
    public void It_is_refused_before_it_costs_more_than_its_bytes_pay_for(string text, string message)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Refused(() => FlatYaml.Parse(bytes, "run.yaml"));
        long before = GC.GetAllocatedBytesForCurrentThread();
        var error = Refused(() => FlatYaml.Parse(bytes, "run.yaml"));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, bytes.Length < 10_000 ? 100_000 : (1 << 20) + 10 * bytes.Length);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a: [[[[[[[[b]]]]]]]]", "more than 6 levels")]
    [InlineData("a: &\u0001 1", "found an anchor (&\\u0001)")]
    [InlineData("\"a\\x07\": 1\n\"a\\x07\": 2", "is given twice, first on line 1")]
    public void An_experiment_is_read_under_the_same_bounds(string text, string message)
    {
        var error = Refused(() => YamlTree.Parse(Encoding.UTF8.GetBytes(text), "studies.yaml"));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(error.Message, letter => char.IsControl(letter));
        Assert.Contains("found more than 3000 keys", Refused(() => YamlTree.Parse("a: ["u8.ToArray().Concat(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("b,", 4000)))).ToArray(), "x")).Message, StringComparison.Ordinal);
    }

    private static ConfigurationException Refused(Action parse) => Assert.Throws<ConfigurationException>(parse);

    private static void Try(Action parse)
    {
        try
        {
            parse();
        }
        catch (ConfigurationException)
        {
            // Refused or taken: it has come to an end.
        }
    }
}
