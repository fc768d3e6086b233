namespace RepNoise.Host.Data;

/// <summary>The most of everything that any batch of some data can hold; what the memory plan and the arrays are sized by.</summary>
public sealed record PackedBatchCapacity
{
    /// <summary>N, token rows.</summary>
    public int Rows { get; init; }

    public int Segments { get; init; }

    /// <summary>Pairs and plain sequences.</summary>
    public int Groups { get; init; }

    /// <summary>B.</summary>
    public int Pairs { get; init; }

    /// <summary>Positions of the padded frame that can matter to a pair.</summary>
    public int FrameLength { get; init; }

    public int MmdRows { get; init; }

    public int StabilityTargets { get; init; }

    public int AscentTargets { get; init; }

    /// <summary>Entries of a lens list of its own; 0 while it is the final logits' list.</summary>
    public int LensTargets { get; init; }

    public int NextTokenTargets { get; init; }

    /// <summary>Rows of the longest run, for attention's workspace.</summary>
    public int LongestRun { get; init; }

    /// <summary>One past the largest position of any row: the length of the rotary tables.</summary>
    public int Positions => Math.Max(FrameLength, LongestRun);

    /// <summary>The capacity for any <paramref name="batchSize"/> different pairs beside <paramref name="retainRows"/> retain
    /// examples.</summary>
    /// <param name="pairs">All pairs of the data.</param>
    /// <param name="batchSize">B.</param>
    /// <param name="options">As the packer gets them.</param>
    /// <param name="retain">All retain examples; they are drawn in turns, so one may come twice in a batch where an epoch of them
    /// ends.</param>
    /// <param name="retainRows">Retain examples in a batch.</param>
    public static PackedBatchCapacity Of(
        IReadOnlyList<TokenPair> pairs, int batchSize, PackingOptions options,
        IReadOnlyList<TokenExample>? retain = null, int retainRows = 0)
    {
        var shapes = pairs.Select(pair => Shape(pair, options)).ToArray();
        int count = Math.Min(batchSize, shapes.Length);
        var ofPairs = new PackedBatchCapacity
        {
            Rows = Largest(shapes, s => s.Rows, count),
            Segments = Largest(shapes, s => s.Segments, count),
            Groups = count,
            Pairs = count,
            FrameLength = shapes.Select(s => s.FrameLength).DefaultIfEmpty().Max(),
            MmdRows = Largest(shapes, s => s.MmdRows, count),
            StabilityTargets = Largest(shapes, s => s.StabilityTargets, count),
            AscentTargets = Largest(shapes, s => s.AscentTargets, count),
            LensTargets = Largest(shapes, s => s.LensTargets, count),
            LongestRun = shapes.Select(s => s.LongestRun).DefaultIfEmpty().Max(),
        };
        if (retain is not { Count: > 0 } || retainRows < 1)
            return ofPairs;
        int repeats = ((retainRows - 1) / retain.Count) + 2;
        return ofPairs.Beside(OfSequences(retain, retainRows, new SequenceOptions { CompletionOnly = true }, repeats));
    }

    /// <summary>The capacity for any <paramref name="batchSize"/> plain sequences.</summary>
    /// <param name="examples">All examples of the data.</param>
    /// <param name="batchSize">Sequences in a batch.</param>
    /// <param name="options">As the packer gets them.</param>
    /// <param name="repeats">How often one example may come in a batch.</param>
    public static PackedBatchCapacity OfSequences(
        IReadOnlyList<TokenExample> examples, int batchSize, SequenceOptions options, int repeats = 1)
    {
        int count = (int)Math.Min(batchSize, (long)examples.Count * repeats);
        return new PackedBatchCapacity
        {
            Rows = Largest(examples, e => SequencePacker.PaddedLength(e, options), count, repeats),
            Segments = count,
            Groups = count,
            NextTokenTargets = Largest(examples, e => Math.Max(0,
                SequencePacker.PaddedLength(e, options) - SequencePacker.FirstTarget(e, options)), count, repeats),
            LongestRun = examples.Select(e => SequencePacker.PaddedLength(e, options)).DefaultIfEmpty().Max(),
        };
    }

    /// <summary>The capacity for a padded frame [B, T] whose rows are all kept.</summary>
    public static PackedBatchCapacity OfPadded(int batch, int length) => new()
    {
        Rows = checked(batch * length),
        Segments = batch,
        Groups = batch,
        NextTokenTargets = batch * Math.Max(0, length - 1),
        LongestRun = length,
    };

    private PackedBatchCapacity Beside(PackedBatchCapacity sequences) => this with
    {
        Rows = checked(Rows + sequences.Rows),
        Segments = Segments + sequences.Segments,
        Groups = Groups + sequences.Groups,
        NextTokenTargets = sequences.NextTokenTargets,
        LongestRun = Math.Max(LongestRun, sequences.LongestRun),
    };

    private static PackedBatchCapacity Shape(TokenPair pair, PackingOptions options)
    {
        var frame = new PairFrame(pair, options);
        int prompt = frame.PromptLength, mmd = 0, ascent = 0, lens = 0, stability = 0, harmful = 0, harmless = 0;
        for (int p = 0; p < frame.Length; p++)
        {
            bool answer = p >= prompt;
            harmful += answer && frame.NeedsRow(Pass.Harmful, p) ? 1 : 0;
            harmless += answer && frame.NeedsRow(Pass.Harmless, p) ? 1 : 0;
            mmd += frame.InMmd(p) ? 1 : 0;
            ascent += frame.FinalTerm(Pass.Harmful, p) == Term.Predicted ? 1 : 0;
            stability += frame.FinalTerm(Pass.Harmless, p) == Term.Predicted ? 1 : 0;
            lens += !frame.Masked && frame.MaskedTerm(Pass.Harmful, p) == Term.Predicted ? 1 : 0;
        }
        return new PackedBatchCapacity
        {
            Rows = prompt + harmful + harmless,
            Segments = Math.Sign(prompt) + Math.Sign(harmful) + Math.Sign(harmless),
            FrameLength = frame.Length,
            MmdRows = mmd,
            StabilityTargets = stability,
            AscentTargets = ascent,
            LensTargets = lens,
            LongestRun = Math.Max(prompt, Math.Max(harmful, harmless)),
        };
    }

    /// <summary>The sum of the <paramref name="count"/> largest values, each taken up to <paramref name="repeats"/> times.</summary>
    private static int Largest<T>(IEnumerable<T> items, Func<T, int> value, int count, int repeats = 1)
    {
        long sum = 0;
        int left = count;
        foreach (int v in items.Select(value).OrderDescending())
        {
            int times = Math.Min(left, repeats);
            sum += (long)v * times;
            left -= times;
            if (left == 0)
                break;
        }
        return checked((int)sum);
    }
}
