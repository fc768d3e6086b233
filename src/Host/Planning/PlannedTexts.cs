using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Host.Training;

namespace RepNoise.Host.Planning;

/// <summary>
/// The texts that memory is planned for: those of a file, or, where none is given, as many as asked for of the longest kind that
/// <c>max_length</c> lets through.
/// </summary>
public abstract class PlannedTexts
{
    private protected PlannedTexts(IEnumerable<int>? lengths) =>
        LongestFirst = lengths?.Select((length, index) => (length, index)).OrderByDescending(t => t.length).Select(t => t.index).ToArray();

    /// <summary>Texts (or pairs) of the file; null without one.</summary>
    public int? Count => LongestFirst?.Length;

    /// <summary>One line for people.</summary>
    public abstract string Describe(TrainingArguments arguments, ModelConfig config);

    /// <summary>Data and loss of the run that <paramref name="arguments"/> describe, as its own command makes them.</summary>
    public abstract ITrainingObjective MakeObjective(ModelParameters parameters, TrainingArguments arguments);

    /// <summary>The longest texts of a micro-batch.</summary>
    public ReadOnlySpan<int> Heaviest(int batchSize) =>
        LongestFirst is null ? Enumerable.Range(0, batchSize).ToArray() : LongestFirst.AsSpan(0, Math.Min(batchSize, LongestFirst.Length));

    private int[]? LongestFirst { get; }

    /// <summary>T: no text is longer, whatever its file holds.</summary>
    private protected static int Length(TrainingArguments arguments, ModelConfig config) =>
        Math.Min(arguments.MaxLength, config.MaxPositionEmbeddings);

    private protected static int[] Cut(int[] ids, int length) => ids.Length <= length ? ids : ids[..length];

    private protected static TokenExample Cut(TokenExample example, int length) => example with { Ids = Cut(example.Ids, length) };

    /// <summary>Examples of which every token after the first is a target.</summary>
    private protected static IReadOnlyList<TokenExample> Assumed(int count, int length) =>
        [.. Enumerable.Repeat(new TokenExample(Filled(length, 1), 0, 0, "an assumed text"), count)];

    private protected static int[] Filled(int count, int id)
    {
        var ids = new int[count];
        Array.Fill(ids, id);
        return ids;
    }
}

/// <summary>Pairs, and retain examples beside them.</summary>
public sealed class PlannedPairs : PlannedTexts
{
    private readonly IReadOnlyList<TokenPair>? pairs;
    private readonly IReadOnlyList<TokenExample>? retain;
    private readonly int promptTokens;
    private readonly int padId;

    /// <param name="pairs">The run's pairs; null assumes pairs that differ in every token after the prompt.</param>
    /// <param name="retain">The run's retain examples; null assumes <c>repnoise_retain_rows</c> of them where that is set.</param>
    /// <param name="promptTokens">Tokens that an assumed pair's texts share.</param>
    /// <param name="padId">Id of the pads that face text.</param>
    public PlannedPairs(IReadOnlyList<TokenPair>? pairs, IReadOnlyList<TokenExample>? retain, int promptTokens, int padId)
        : base(pairs?.Select(pair => pair.Harmful.Length + pair.Harmless.Length))
    {
        (this.pairs, this.retain, this.promptTokens, this.padId) = (pairs, retain, promptTokens, padId);
    }

    /// <inheritdoc/>
    public override string Describe(TrainingArguments arguments, ModelConfig config)
    {
        int length = Length(arguments, config), rows = Retain((RepNoiseArguments)arguments, length).Count == 0 ? 0 : PairObjective.RetainRows((RepNoiseArguments)arguments);
        string what = Count is { } count
            ? $"{Math.Min(arguments.PerDeviceTrainBatchSize, count)} of {count} pairs, the longest first, cut at {length} tokens"
            : $"{arguments.PerDeviceTrainBatchSize} pairs of twice {length} tokens, {Math.Min(promptTokens, length)} of them shared";
        return rows > 0 ? $"{what}; {rows} retain examples" : what;
    }

    /// <inheritdoc/>
    public override ITrainingObjective MakeObjective(ModelParameters parameters, TrainingArguments arguments)
    {
        var defence = (RepNoiseArguments)arguments;
        int length = Length(arguments, parameters.Config);
        IReadOnlyList<TokenPair> used = pairs is null
            ? [.. Enumerable.Repeat(AssumedPair(length), arguments.PerDeviceTrainBatchSize)]
            : [.. pairs.Select(pair => pair with { Harmful = Cut(pair.Harmful, length), Harmless = Cut(pair.Harmless, length) })];
        return new PairObjective(parameters, used, Retain(defence, length), padId, defence);
    }

    private IReadOnlyList<TokenExample> Retain(RepNoiseArguments arguments, int length) =>
        retain is null ? Assumed(arguments.RetainRows, length) : [.. retain.Select(example => Cut(example, length))];

    private TokenPair AssumedPair(int length)
    {
        int[] prompt = Filled(Math.Min(promptTokens, length), 1);
        int answer = length - prompt.Length;
        return new TokenPair([.. prompt, .. Filled(answer, 1)], [.. prompt, .. Filled(answer, 2)], 0, "an assumed pair");
    }
}

/// <summary>Texts of plain fine-tuning.</summary>
public sealed class PlannedSequences : PlannedTexts
{
    private readonly IReadOnlyList<TokenExample>? examples;

    /// <param name="examples">The run's texts; null assumes texts of which every token is trained on.</param>
    public PlannedSequences(IReadOnlyList<TokenExample>? examples)
        : base(examples?.Select(example => example.Ids.Length))
    {
        this.examples = examples;
    }

    /// <inheritdoc/>
    public override string Describe(TrainingArguments arguments, ModelConfig config) => Count is { } count
        ? $"{Math.Min(arguments.PerDeviceTrainBatchSize, count)} of {count} texts, the longest first, cut at {Length(arguments, config)} tokens"
        : $"{arguments.PerDeviceTrainBatchSize} texts of {Length(arguments, config)} tokens";

    /// <inheritdoc/>
    public override ITrainingObjective MakeObjective(ModelParameters parameters, TrainingArguments arguments)
    {
        int length = Length(arguments, parameters.Config);
        var used = examples is null ? Assumed(arguments.PerDeviceTrainBatchSize, length) : [.. examples.Select(example => Cut(example, length))];
        return new SequenceObjective(parameters, used, (FinetuneArguments)arguments);
    }
}
