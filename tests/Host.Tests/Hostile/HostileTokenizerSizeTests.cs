using System.Text;
using RepNoise.Host.Tokenizers;

namespace RepNoise.Host.Tests.Hostile;

/// <summary>A tokenizer.json that is small, and asks for much: for memory while it is read, or for texts that grow without end.</summary>
public sealed class HostileTokenizerSizeTests
{
    private const string Text = "ab a<s>b\u00e9 \n123 aaaaaaaaaaaaaaaaaaaaaaaa!";
    private const string Double = """{"type":"Replace","pattern":{"String":"a"},"content":"aa"}""";

    public static TheoryData<string, string> Growing => new()
    {
        { "normalizer", $$"""{"type":"Sequence","normalizers":[{{Times(40, Double)}}]}""" },
        { "normalizer", $$$"""{"type":"Replace","pattern":{"Regex":"."},"content":"{{{new string('x', 1 << 16)}}}"}""" },
        { "normalizer", $$"""{"type":"Sequence","normalizers":[{{Times(900, """{"type":"Prepend","prepend":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}""")}}]}""" },
        { "pre_tokenizer", $$"""{"type":"Sequence","pretokenizers":[{{Times(40, """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""")}}]}""" },
        { "decoder", $$"""{"type":"Sequence","decoders":[{{Times(40, Double)}}]}""" },
        { "normalizer", Spaces(new string('a', 8000)) },
        { "normalizer", $$"""{"type":"Sequence","normalizers":[{{Spaces(new string('a', 800))}},{{Spaces(new string('a', 800))}},{"type":"Replace","pattern":{"String":"a"},"content":" a "}]}""" },
        { "post_processor", Template(pieces: 80, ids: 2000) },
    };

    [Theory]
    [MemberData(nameof(Growing))]
    public void Steps_that_make_a_text_grow_without_end_are_stopped(string part, string value)
    {
        var tokenizer = Load(File(part, value));
        long before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<TokenizerException>(() => tokenizer.Decode(tokenizer.Encode(Text)));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        Assert.Matches("tokenizer.json, \\$: its steps take more than \\d+ bytes for (a text|tokens) of \\d+ characters; expected normalizers", error.Message);
    }

    [Theory]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{}}""", "the text twice")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[{"type":"NFC"}*2000]}""", "have 2001 parts")]
    public void A_file_that_only_a_stranger_would_write_is_refused(string part, string value, string message)
    {
        value = value.Replace("""{"type":"NFC"}*2000""", Times(2000, """{"type":"NFC"}"""), StringComparison.Ordinal);
        var error = Assert.Throws<TokenizerException>(() => Load(File(part, value)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string> Large => new(
        Nested(28, 400, """{"type":"BertPreTokenizer"}"""),
        Nested(1, 1000, """{"type":"Whitespace"}"""),
        Nested(1, 1000, """{"type":"Digits","individual_digits":true}"""),
        Model("{}", Times(6000, """["a","b"]""")),
        Model("{}", Times(10_000, "\"a b\"")),
        Model("{" + string.Join(',', Enumerable.Range(0, 6000).Select(i => $"\"{(char)(0x3400 + i)}\":{i}")) + "}", ""),
        """{"added_tokens":[""" + string.Join(',', Enumerable.Range(0, 500).Select(
            i => $$"""{"id":{{i + 3}},"content":"{{(char)(0x3400 + i)}}","single_word":false,"lstrip":false,"rstrip":true,"normalized":false,"special":true}"""))
            + """],"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[]}}""");

    [Theory]
    [MemberData(nameof(Large))]
    public void Reading_and_using_it_takes_what_its_bytes_pay_for(string json)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json);
        for (int time = 0; time < 2; time++)
        {
            // The first time makes what is made once.
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                var tokenizer = new Tokenizer(TokenizerReader.Read(bytes, "tokenizer.json"));
                tokenizer.Decode(tokenizer.Encode(Text));
            }
            catch (TokenizerException error)
            {
                Assert.Contains("its steps take more than", error.Message, StringComparison.Ordinal);
            }

            if (time > 0) Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, (1 << 20) + 10L * bytes.Length);
        }
    }

    /// <summary>Each within its bounds: what a normalizer writes costs more the more pieces, words and tokens it becomes.</summary>
    [Theory]
    [InlineData(null, null)]
    [InlineData("""{"type":"Split","pattern":{"Regex":"."},"behavior":"Isolated","invert":false}""", null)]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""", """{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""")]
    [InlineData(null, """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"a"},"content":"b"},{"type":"ByteFallback"},{"type":"Strip","content":"b","start":1,"stop":0}]}""")]
    [InlineData(null, """{"type":"WordPiece","prefix":"##","cleanup":true}""")]
    public void A_normalizer_that_writes_much_for_each_space_takes_less_than_a_megabyte(string? preTokenizer, string? decoder)
    {
        foreach (string model in (string[])[
            """{"type":"BPE","unk_token":"a","vocab":{"a":0,"b":1,"aa":2},"merges":["a a"]}""", """{"type":"WordPiece","unk_token":"a","vocab":{"a":0,"##a":1,"##aaaaaa":2}}""",
            """{"type":"Unigram","unk_id":0,"vocab":[["a",-1.0],["b",-2.0],["aaaaaaaa",-1.5]]}"""])
        {
            for (int written = 200; written <= 4000; written += 200)
            {
                byte[] bytes = Encoding.UTF8.GetBytes(
                    $$"""{"normalizer":{{Spaces(new string('a', written))}},"pre_tokenizer":{{preTokenizer ?? "null"}},"decoder":{{decoder ?? "null"}},"model":{{model}}}""");
                var tokenizer = new Tokenizer(TokenizerReader.Read(bytes, "tokenizer.json"));
                long before = GC.GetAllocatedBytesForCurrentThread();
                try
                {
                    tokenizer.Decode(tokenizer.Encode(Text));
                }
                catch (TokenizerException)
                {
                    // The bound on what its steps take.
                }

                Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
            }
        }
    }

    [Fact]
    public void Affixes_that_no_tokenizer_has_are_refused()
    {
        string affix = new('x', 17);
        foreach (string name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            var error = Assert.Throws<TokenizerException>(() => Load($$$"""{"model":{"type":"BPE","{{{name}}}":"{{{affix}}}","vocab":{"a":0},"merges":[]}}"""));
            Assert.Contains(name + ": it has 17 characters; expected at most 16", error.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>A template with one special token many times, which is many ids.</summary>
    private static string Template(int pieces, int ids) => $$$$"""
        {"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},{{{{Times(pieces, """{"SpecialToken":{"id":"x","type_id":0}}""")}}}}],"pair":[],
         "special_tokens":{"x":{"id":"x","ids":[{{{{Times(ids, "0")}}}}],"tokens":["x"]}}}
        """;

    private static string Spaces(string content) => $$$"""{"type":"Replace","pattern":{"String":" "},"content":"{{{content}}}"}""";

    private static Tokenizer Load(string json) => new(TokenizerReader.Read(Encoding.UTF8.GetBytes(json), "tokenizer.json"));

    private static string File(string part, string value) => $$$"""{"{{{part}}}":{{{value}}},"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]}}""";

    private static string Times(int count, string part) => string.Join(',', Enumerable.Repeat(part, count));

    private static string Nested(int depth, int count, string part) =>
        """{"pre_tokenizer":""" + string.Concat(Enumerable.Repeat("""{"type":"Sequence","pretokenizers":[""", depth)) + Times(count, part)
        + string.Concat(Enumerable.Repeat("]}", depth)) + ""","model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[]}}""";

    private static string Model(string vocabulary, string merges) =>
        $$$"""{"model":{"type":"BPE","vocab":{{{(vocabulary == "{}" ? """{"a":0,"b":1,"ab":2}""" : vocabulary)}}},"merges":[{{{merges}}}]}}""";
}
