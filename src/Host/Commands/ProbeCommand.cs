using System.CommandLine;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Evaluation.Probing;

namespace RepNoise.Host.Commands;

/// <summary>What <c>probe</c> was told.</summary>
internal sealed record ProbeOptions : MachineChoice
{
    public required string Model { get; init; }

    public required string Data { get; init; }

    public ProbeDataOptions Reading { get; init; } = new();

    /// <summary>A model whose weights are compared, or null.</summary>
    public string? Other { get; init; }

    /// <summary>First seed of the splits.</summary>
    public ulong Seed { get; init; }

    /// <summary>Number of splits; their seeds are consecutive.</summary>
    public int Seeds { get; init; }

    public int MaxLength { get; init; }

    /// <summary>JSON file, or null.</summary>
    public string? Output { get; init; }
}

/// <summary><c>repnoise probe MODEL --data FILE</c>.</summary>
internal static class ProbeCommand
{
    private const string Group = "Data";

    public static Command Build(Func<ProbeOptions, Terminal, CancellationToken, int> handler, Terminal terminal, CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "probe",
            "Look into a model depth by depth: how well a linear probe tells labels from activations, what the lens says of harmful answers, how near MLP "
            + "outputs are to noise, how far weights moved, and the last layer in two dimensions.",
            "./repnoise probe models/llama-defended --data pairs.jsonl --other models/llama --output probe.json",
            "./repnoise probe models/llama --data beavertails.json --label-field is_safe --seeds 5");
        var model = DocumentedCommand.ModelArgument(required: true);
        ValueOption<string?> data = new("--data", Values.Path, null, "Pairs, or texts with a label; JSON, JSON lines or Parquet. Required.", Group);
        ValueOption<string?> label = new("--label-field", Values.Text, null, "Field of the label; without it the file holds pairs, harmful and harmless.", Group);
        ValueOption<string?> textField = new("--text-field", Values.Text, null, "Field of the whole text, beside --label-field.", Group);
        ValueOption<string?> promptField = new("--prompt-field", Values.Text, null, "Field of the prompt.", Group);
        ValueOption<string?> answerField = new("--answer-field", Values.Text, null, "Field of the answer, beside --label-field.", Group);
        ValueOption<string?> harmfulField = new("--harmful-field", Values.Text, null, "Field of a pair's harmful answer.", Group);
        ValueOption<string?> harmlessField = new("--harmless-field", Values.Text, null, "Field of a pair's harmless answer.", Group);
        ValueOption<string?> template = new("--template", Values.Text, null, "Joins prompt and answer.", Group);
        ValueOption<int> limit = new("--limit", Values.PositiveInteger(), 500, "Most rows; mean activations of all depths are kept in memory.", Group);
        ValueOption<int> maxLength = new("--max-length", Values.PositiveInteger(), 256, "Longest text in tokens; longer ones are cut.", Group);
        ValueOption<string?> other = new("--other", Values.Path, null, "Model folder whose weights to compare.");
        ValueOption<int> seeds = new("--seeds", Values.PositiveInteger(), 3, "Number of splits into training and test texts.");
        ValueOption<ulong> seed = new("--seed", Values.Seed, 42, "Seed of the first split; the others follow it.");
        ValueOption<string?> output = new("--output", Values.Path, null, "Write the results here as JSON.");
        var machine = new MachineOptions();
        command.Arguments.Add(model);
        command.AddOptions(data.Symbol, label.Symbol, textField.Symbol, promptField.Symbol, answerField.Symbol, harmfulField.Symbol, harmlessField.Symbol);
        command.AddOptions(template.Symbol, limit.Symbol, maxLength.Symbol, other.Symbol, seeds.Symbol, seed.Symbol, output.Symbol);
        command.AddOptions(machine.Symbols);
        command.SetAction(line => handler(
            machine.Read(line, new ProbeOptions
            {
                Model = DocumentedCommand.ReadModel(line, model),
                Data = data.Read(line) ?? throw new Diagnostics.UsageException("--data", "it is missing", "a file of pairs or of texts with a label", "name one"),
                Reading = new ProbeDataOptions
                {
                    LabelField = label.Read(line),
                    TextField = textField.Read(line),
                    AnswerField = answerField.Read(line),
                    Limit = limit.Read(line),
                    Pairs = new PairOptions
                    {
                        PromptField = promptField.Read(line),
                        HarmfulField = harmfulField.Read(line),
                        HarmlessField = harmlessField.Read(line),
                        Template = template.Read(line) is { } text ? Template.Parse(text) : null,
                    },
                },
                Other = other.Read(line),
                Seed = seed.Read(line),
                Seeds = seeds.Read(line),
                MaxLength = maxLength.Read(line),
                Output = output.Read(line),
            }),
            terminal,
            stop));
        return command;
    }
}
