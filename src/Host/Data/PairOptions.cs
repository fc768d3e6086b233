namespace RepNoise.Host.Data;

/// <summary>Known layouts of pairs.</summary>
public enum PairLayout
{
    /// <summary>Decided by the options and the first row's fields.</summary>
    Auto,

    /// <summary><c>prompt</c>, <c>response</c>, <c>refusal</c> (a whole text, prompt included) and optionally <c>is_safe</c>: safe rows
    /// are left out.</summary>
    BeaverTails,

    /// <summary>
    /// <c>prompt.text</c>, <c>continuation.text</c>, <c>refusal</c> and optionally <c>type</c>: only <c>toxic</c> rows are used. The
    /// refusal may be a whole text, may lack the instruction line (it begins with <c>Prompt: </c>, as the authors' paired file does), or be a mere continuation.
    /// </summary>
    DecodingTrust,

    /// <summary>A prompt and two answers in fields named by options.</summary>
    Generic,
}

/// <summary>How <see cref="PairReader"/> reads a file.</summary>
public sealed record PairOptions
{
    public PairLayout Layout { get; init; } = PairLayout.Auto;

    /// <summary>Path of the prompt's field in the generic layout; <c>prompt</c> where null.</summary>
    public string? PromptField { get; init; }

    /// <summary>Path of the harmful answer's field in the generic layout; <c>harmful</c> where null.</summary>
    public string? HarmfulField { get; init; }

    /// <summary>Path of the harmless answer's field in the generic layout; <c>harmless</c> where null.</summary>
    public string? HarmlessField { get; init; }

    /// <summary>
    /// Joins prompt and answer. Null takes the layout's own: BeaverTails' and DecodingTrust's templates, nothing between the two in the
    /// generic layout. In the BeaverTails layout it shapes the harmful text only, since the refusal is a whole text already.
    /// </summary>
    public Template? Template { get; init; }

    internal bool NamesFields => PromptField is not null || HarmfulField is not null || HarmlessField is not null;
}

/// <summary>The pairs of a file and what was left out.</summary>
public sealed record PairData
{
    /// <summary>In the file's order.</summary>
    public required IReadOnlyList<TextPair> Pairs { get; init; }

    /// <summary>The layout that was found or asked for.</summary>
    public required PairLayout Layout { get; init; }

    /// <summary>Rows of the file.</summary>
    public required int Rows { get; init; }

    /// <summary>Rows left out because they are not harmful: <c>is_safe</c> is true, or <c>type</c> is not <c>toxic</c>.</summary>
    public required int HarmlessRows { get; init; }

    /// <summary>Pairs whose harmless text does not begin with the prompt: all of both texts differs then. Many of them point to a wrong
    /// template.</summary>
    public required int PromptMismatches { get; init; }
}
