using System.CommandLine;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Commands;

/// <summary>What <c>tokenize</c> was told.</summary>
/// <param name="Model">The folder with tokenizer.json.</param>
/// <param name="SpecialTokens">Add the special tokens (BOS) that the tokenizer adds to a text.</param>
/// <param name="Decode">Read arrays of ids and write JSON strings, the other way round.</param>
internal sealed record TokenizeOptions(string Model, bool SpecialTokens, bool Decode);

/// <summary><c>repnoise tokenize MODEL</c>: JSON strings in, JSON arrays of ids out, a line each.</summary>
internal static class TokenizeCommand
{
    public static Command Build(Func<TokenizeOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "tokenize",
            "Turn JSON strings, one a line on standard input, into JSON arrays of token ids, one a line, or back.",
            "./repnoise tokenize models/llama < texts.jsonl",
            "./repnoise tokenize models/llama --no-special-tokens < texts.jsonl > ids.jsonl",
            "./repnoise tokenize models/llama --decode < ids.jsonl");
        var model = DocumentedCommand.ModelArgument(required: true);
        ValueOption<bool> raw = new("--no-special-tokens", Values.Boolean, false, "Leave out the special tokens that the tokenizer adds to a text.");
        ValueOption<bool> decode = new("--decode", Values.Boolean, false, "Read arrays of ids, write JSON strings.");
        command.Arguments.Add(model);
        command.AddOptions(raw.Symbol, decode.Symbol);
        command.SetAction(line => handler(
            new TokenizeOptions(DocumentedCommand.ReadModel(line, model), !raw.Read(line), decode.Read(line)), terminal, stop));
        return command;
    }
}
