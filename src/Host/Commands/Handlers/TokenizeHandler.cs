using System.Text.Encodings.Web;
using System.Text.Json;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Tokenizers;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>JSON strings, one a line, to JSON arrays of ids, one a line; or back.</summary>
internal static class TokenizeHandler
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static int Run(TokenizeOptions options, Terminal terminal, CancellationToken stop)
    {
        var tokenizer = Tokenizer.Load(options.Model);
        int number = 0;
        while (!stop.IsCancellationRequested && terminal.In.ReadLine() is { } line)
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            terminal.Out.WriteLine(options.Decode ? Decode(tokenizer, line, number, options) : Encode(tokenizer, line, number, options));
        }

        return stop.IsCancellationRequested ? ExitCodes.Interrupted : ExitCodes.Done;
    }

    private static string Encode(Tokenizer tokenizer, string line, int number, TokenizeOptions options) =>
        JsonSerializer.Serialize(tokenizer.Encode(Parse<string>(line, number, "a JSON string"), options.SpecialTokens));

    private static string Decode(Tokenizer tokenizer, string line, int number, TokenizeOptions options)
    {
        int[] ids = Parse<int[]>(line, number, "a JSON array of token ids");
        int unknown = Array.FindIndex(ids, id => tokenizer.IdToToken(id) is null);
        if (unknown >= 0)
            throw new InputException($"standard input, line {number}", $"id {ids[unknown]} is no token",
                $"ids below {tokenizer.VocabularySize} that the tokenizer has", "use ids of this tokenizer");
        return JsonSerializer.Serialize(tokenizer.Decode(ids, options.SpecialTokens), Readable);
    }

    private static T Parse<T>(string line, int number, string expected)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(line) ?? throw new JsonException("null");
        }
        catch (JsonException exception)
        {
            string shown = line.Length > 40 ? line[..40] + "..." : line;
            throw new InputException($"standard input, line {number}", $"found {shown}", expected,
                "quote each text as JSON, one a line (jq -R . does that for plain lines)", exception);
        }
    }
}
