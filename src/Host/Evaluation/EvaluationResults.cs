using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RepNoise.Host.Evaluation;

/// <summary>What <c>evaluate</c> found: <c>results.json</c>. A part that was not asked for is null and is left out of the file.</summary>
public sealed record EvaluationResults
{
    /// <summary>The model's folder, as given.</summary>
    public required string Model { get; init; }

    public required string Device { get; init; }

    /// <summary>The program's version and commit.</summary>
    public required string Version { get; init; }

    public HarmfulnessResult? Harmfulness { get; init; }

    public PerplexityResult? Perplexity { get; init; }

    public ChoiceResult? MultipleChoice { get; init; }

    public RougeResult? Rouge { get; init; }

    /// <summary>The names of every results file: snake_case, numbers as they are, text unescaped.</summary>
    public static JsonSerializerOptions Json { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };

    /// <summary>The same on one line, for JSON lines.</summary>
    public static JsonSerializerOptions JsonLine { get; } = new(Json) { WriteIndented = false };
}

/// <summary>How text was generated.</summary>
/// <param name="MaxNewTokens">Longest answer.</param>
/// <param name="Temperature">0 is greedy.</param>
/// <param name="TopK">0 keeps all.</param>
/// <param name="TopP">1 keeps all.</param>
/// <param name="RepetitionPenalty">1 is none.</param>
/// <param name="Seed">Seed of the sampling.</param>
/// <param name="ChatTemplate">Prompts were turns of the model folder's chat template.</param>
public sealed record GenerationSettings(int MaxNewTokens, double Temperature, int TopK, double TopP, double RepetitionPenalty, ulong Seed, bool ChatTemplate)
{
    /// <summary>For people.</summary>
    public override string ToString()
    {
        string how = Temperature == 0 ? "greedy" : string.Create(CultureInfo.InvariantCulture, $"temperature {Temperature}")
            + (TopK == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", top_k {TopK}")) + (TopP == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $", top_p {TopP}"));
        string penalty = RepetitionPenalty == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $", repetition_penalty {RepetitionPenalty}");
        return string.Create(CultureInfo.InvariantCulture, $"{how}{penalty}, up to {MaxNewTokens} tokens{(Temperature == 0 ? "" : $", seed {Seed}")}{(ChatTemplate ? ", chat template" : "")}");
    }
}

/// <summary>Harmfulness of a model's answers. Shares and means are over all questions.</summary>
public sealed record HarmfulnessResult
{
    public required string Judge { get; init; }

    /// <summary>The file of questions.</summary>
    public required string Data { get; init; }

    public required int Questions { get; init; }

    /// <summary>Null where no text was generated (judge logprob).</summary>
    public GenerationSettings? Generation { get; init; }

    /// <summary>Mean score.</summary>
    public required double Mean { get; init; }

    /// <summary>Standard deviation of the scores (n - 1).</summary>
    public required double Deviation { get; init; }

    /// <summary>Share of questions with a score above 0.5.</summary>
    public required double ShareAboveHalf { get; init; }

    /// <summary>Share of answers that hold a refusal phrase.</summary>
    public required double Refused { get; init; }

    /// <summary>Share of empty answers; they score 0.</summary>
    public required double Empty { get; init; }

    /// <summary>Share of disfluent answers: repetitive, or improbable to the reference model. A broken model looks safe.</summary>
    public required double Disfluent { get; init; }

    /// <summary>Mean repetition.</summary>
    public required double Repetition { get; init; }

    /// <summary>Perplexity of all answers under the reference model, or null.</summary>
    public double? ReferencePerplexity { get; init; }

    public string? ReferenceModel { get; init; }

    /// <summary>By name; empty where the data has no categories.</summary>
    public required IReadOnlyList<CategoryResult> Categories { get; init; }

    /// <summary>Every answer, in the order of the questions; generations.jsonl holds them.</summary>
    [JsonIgnore]
    public IReadOnlyList<AnswerRecord> Answers { get; init; } = [];
}

/// <summary>The questions of one category.</summary>
public sealed record CategoryResult(string Name, int Questions, double Mean, double ShareAboveHalf);

/// <summary>An answer and its score: a line of generations.jsonl.</summary>
public sealed record AnswerRecord
{
    /// <summary>harmfulness, or rouge.</summary>
    public required string Part { get; init; }

    public required int Index { get; init; }

    /// <summary>File and line of the question.</summary>
    public required string Place { get; init; }

    public required string Prompt { get; init; }

    public required string Answer { get; init; }

    /// <summary>Harmfulness from 0 to 1, or the F-measure of ROUGE-1.</summary>
    public required double Score { get; init; }

    public string? Reference { get; init; }

    public IReadOnlyList<string>? Categories { get; init; }

    public bool? Refused { get; init; }

    public required int Tokens { get; init; }

    public required double Repetition { get; init; }

    public bool? Disfluent { get; init; }

    /// <summary>Under the reference model.</summary>
    public double? Perplexity { get; init; }

    /// <summary>Mean log-probability of the given answer's tokens (judge logprob).</summary>
    public double? LogProbability { get; init; }
}

/// <summary>Perplexity of a file of texts, by rolling windows.</summary>
public sealed record PerplexityResult
{
    public required string Data { get; init; }

    public required long Texts { get; init; }

    public required long Tokens { get; init; }

    public required long Words { get; init; }

    public required long Bytes { get; init; }

    /// <summary>Window in tokens.</summary>
    public required int Window { get; init; }

    /// <summary>Sum over all tokens, natural logarithm.</summary>
    public required double LogProbability { get; init; }

    public required double TokenPerplexity { get; init; }

    public required double WordPerplexity { get; init; }

    public required double BytePerplexity { get; init; }

    public required double BitsPerByte { get; init; }
}

/// <summary>Multiple choice by log-likelihood.</summary>
public sealed record ChoiceResult
{
    public required string Data { get; init; }

    public required int Questions { get; init; }

    /// <summary>Share of questions whose right choice has the largest log-likelihood.</summary>
    public required double Acc { get; init; }

    public required double AccStderr { get; init; }

    /// <summary>The same with log-likelihoods divided by the choices' lengths in characters.</summary>
    public required double AccNorm { get; init; }

    public required double AccNormStderr { get; init; }

    /// <summary>Questions that were cut at the left because they are longer than the model's positions.</summary>
    public required int Truncated { get; init; }
}

/// <summary>Generated text against references.</summary>
public sealed record RougeResult
{
    public required string Data { get; init; }

    public required int Texts { get; init; }

    public required bool Stemmer { get; init; }

    public required GenerationSettings Generation { get; init; }

    public required RougeMean Rouge1 { get; init; }

    public required RougeMean Rouge2 { get; init; }

    public required RougeMean RougeL { get; init; }

    /// <summary>Share of disfluent texts.</summary>
    public required double Disfluent { get; init; }

    [JsonIgnore]
    public IReadOnlyList<AnswerRecord> Answers { get; init; } = [];
}

/// <summary>Means over texts.</summary>
public sealed record RougeMean(double Precision, double Recall, double Fmeasure, double FmeasureStderr);
