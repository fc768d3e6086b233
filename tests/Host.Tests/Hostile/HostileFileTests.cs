using System.Text;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Data;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Tokenizers;
using RepNoise.Host.Tokenizers.Patterns;

namespace RepNoise.Host.Tests.Hostile;

/// <summary>Files from strangers that are none of the kinds which the tests of their readers list.</summary>
public sealed class HostileFileTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_hundred_megabytes_in_one_line_are_refused_without_taking_as_much_memory()
    {
        string path = folder["long.jsonl"];
        using (var stream = File.Create(path))
        {
            stream.Write("{\"prompt\":\""u8);
            var part = new byte[1 << 20];
            part.AsSpan().Fill((byte)'x');
            for (int i = 0; i < 100; i++) stream.Write(part);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<DataException>(() => RowSource.Read(path).Count());
        Assert.Equal(DataFault.TooLong, error.Fault);
        Assert.Contains(":1: the row that begins here is larger than 64 MiB", error.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2L * RowSource.MaxRowBytes);
    }

    [Theory]
    [InlineData("<!DOCTYPE html><html>")]
    [InlineData("{\"prompt\":\"a\"}\n")]
    public void A_text_that_is_named_as_Parquet_is_told_so(string text)
    {
        var error = Assert.Throws<DataException>(() => RowSource.Read(folder.Write("rows.parquet", text)).Count());
        Assert.Contains("is named as Parquet and does not begin with PAR1", error.Problem, StringComparison.Ordinal);
        Assert.Contains("rename it if it is JSON", error.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pytorch_model.bin")]
    [InlineData("model.PT")]
    public void A_file_of_pickled_weights_is_refused_with_the_way_to_convert_it(string name)
    {
        string path = folder.Write(name, 0x80, 2);
        foreach (string[] line in (string[][])[["inspect", path], ["generate", path, "--prompt", "x"]])
        {
            var result = TinyWorld.Run(line);
            Assert.Equal(1, result.Code);
            Assert.Contains("Convert them once with transformers, from a source you trust: AutoModelForCausalLM", result.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Weights_that_are_not_numbers_are_told_by_the_tensors_name_before_a_run()
    {
        using var world = new TinyWorld();
        string path = Path.Combine(world.Model, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        using (var file = SafetensorsFile.Open(path))
        {
            var tensor = file["model.layers.1.mlp.down_proj.weight"];
            BitConverter.TryWriteBytes(bytes.AsSpan(bytes.Length - (int)(file.Tensors[^1].End - tensor.Begin) + 4 * 7), float.NaN);
        }

        File.WriteAllBytes(path, bytes);
        var result = TinyWorld.Run("defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--output", world["out"]);
        Assert.Equal(1, result.Code);
        Assert.Contains("model.layers.1.mlp.down_proj.weight, element 7, is NaN; expected finite weights", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[a]?")]
    [InlineData(@"[a\p{L}]")]
    [InlineData("a")]
    [InlineData("(?i:[k])?")]
    [InlineData("(a)")]
    [InlineData("(|)")]
    [InlineData("(ab){999}")]
    [InlineData("((ab){100}){99}")]
    public void A_pattern_takes_no_more_memory_than_its_characters_pay_for(string piece)
    {
        string pattern = string.Concat(Enumerable.Repeat(piece, CodePointRegex.LongestPattern / piece.Length));
        for (int time = 0; time < 2; time++)
        {
            // The first time makes what is made once.
            long before = GC.GetAllocatedBytesForCurrentThread(), steps = 0;
            try
            {
                CodePointRegex.Parse(pattern).Find("\u0120ab \u0100\u1234a<s>b\u00e9 \n123 aaaaaaaaaaaaaaaa!", 0, ref steps, out _, out _);
            }
            catch (RegexSyntaxException problem)
            {
                Assert.Contains("the pattern grows beyond", problem.Message, StringComparison.Ordinal);
            }

            if (time > 0) Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }
    }

    [Theory]
    [InlineData(1, CodePointRegex.LongestPattern + 1)]
    [InlineData(3, CodePointRegex.LongestPattern / 2)]
    public void Patterns_of_a_tokenizer_that_are_too_long_together_are_refused(int patterns, int length)
    {
        string split = $$$"""{"type":"Split","pattern":{"Regex":"{{{new string('a', length)}}}"},"behavior":"Isolated","invert":false}""";
        string json = $$$"""
            {"version":"1.0","pre_tokenizer":{"type":"Sequence","pretokenizers":[{{{string.Join(',', Enumerable.Repeat(split, patterns))}}}]},
             "model":{"type":"BPE","vocab":{"a":0},"merges":[]}}
            """;
        var error = Assert.Throws<TokenizerException>(() => TokenizerReader.Read(Encoding.UTF8.GetBytes(json), "tokenizer.json"));
        Assert.Contains($"its regular expressions have {patterns * length} characters together", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Half_a_surrogate_pair_in_a_fields_name_is_told_with_its_line()
    {
        foreach (string row in (string[])[@"{""a\ud800"":""b""}", @"{""x"":1,""\uDC00"":2,""y"":[{""\ud83d"":0}]}"])
        {
            var error = Assert.Throws<DataException>(() => RowSource.Read(folder.Write("half.jsonl", "{}\n" + row)).Count());
            Assert.Equal(DataFault.Encoding, error.Fault);
            Assert.Contains("half.jsonl:2: a field's name holds half of a surrogate pair", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_Parquet_footer_that_makes_its_library_read_on_for_ever_is_refused()
    {
        // Field 7, a list of one structure, whose field 1 claims to be a list of 2^31 - 1 structures.
        byte[] footer = [0x79, 0x1c, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0, 0];
        byte[] bytes = [.. "PAR1"u8, .. footer, (byte)footer.Length, 0, 0, 0, .. "PAR1"u8];
        var error = Assert.Throws<DataException>(() => RowSource.Read(folder.Write("loop.parquet", bytes)).Count());
        Assert.Contains("malformed Parquet (field 1 is of type List)", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Invalid_utf8_is_told_with_its_line()
    {
        byte[] bytes = [.. Encoding.UTF8.GetBytes("{\"prompt\":\"a\"}\n{\"prompt\":\""), 0xff, .. "\"}\n"u8];
        var error = Assert.Throws<DataException>(() => RowSource.Read(folder.Write("bad.jsonl", bytes)).Count());
        Assert.Equal(DataFault.Encoding, error.Fault);
        Assert.Contains("bad.jsonl:2: byte 0xff is not valid UTF-8 text", error.Message, StringComparison.Ordinal);
    }
}
