using RepNoise.Host.Diagnostics;
using RepNoise.Kernels;

namespace RepNoise.Host.Evaluation.Probing;

/// <summary>Runs texts through a model and looks at every depth.</summary>
public sealed class Probe
{
    /// <summary>Share of the groups that the linear probe is trained on.</summary>
    private const double TrainShare = 0.8;

    private readonly LoadedModel model;
    private readonly IReadOnlyList<ProbeText> texts;
    private readonly int maxLength;
    private readonly List<string> labels;

    /// <param name="model">The model.</param>
    /// <param name="texts">Labelled texts.</param>
    /// <param name="maxLength">Longest text in tokens; of a longer one the beginning stays.</param>
    public Probe(LoadedModel model, IReadOnlyList<ProbeText> texts, int maxLength)
    {
        (this.model, this.texts, this.maxLength) = (model, texts, Math.Min(maxLength, model.MaxTokens));
        labels = [.. texts.Select(text => text.Label).Distinct()];
    }

    /// <summary>All measures but the distance of weights.</summary>
    /// <param name="data">Where the texts come from, for the result.</param>
    /// <param name="seeds">One split of the texts each.</param>
    /// <param name="version">The program's version, for the result.</param>
    /// <param name="passes">Told the number of texts that have run, or null.</param>
    /// <param name="probes">Told the number of linear probes that are fitted, or null.</param>
    /// <param name="stop">Ends it with an exception.</param>
    /// <exception cref="InputException">A text has no tokens, or a split leaves a side without texts.</exception>
    public ProbeResults Run(
        string data, IReadOnlyList<ulong> seeds, string version, Action<int>? passes = null, Action<int>? probes = null, CancellationToken stop = default)
    {
        var sequences = texts.Select(Sequence).ToList();
        using var pass = new ActivationPass(model.Parameters, sequences.Max(sequence => sequence.Ids.Length));
        pass.Run(sequences, passes, stop);
        var splits = seeds.Select(seed => Split(texts, seed)).ToList();
        int[] classes = [.. texts.Select(text => labels.IndexOf(text.Label))];
        var depths = new List<DepthResult>();
        for (int depth = 0, done = 0; depth < pass.Means.Count; depth++)
        {
            var accuracies = new List<double>();
            foreach (var (train, test) in splits)
            {
                stop.ThrowIfCancellationRequested();
                accuracies.Add(Accuracy(pass.Means[depth], classes, train, test));
                probes?.Invoke(++done);
            }

            depths.Add(new DepthResult
            {
                Depth = depth,
                ProbeAccuracy = accuracies.Average(),
                ProbeDeviation = Statistics.Deviation(accuracies),
                ProbeBySeed = accuracies,
                LensLogProbability = pass.Targets > 0 ? pass.LensSums[depth] / pass.Targets : null,
                LensAccuracy = pass.Targets > 0 ? (double)pass.LensRight[depth] / pass.Targets : null,
                MlpRms = depth > 0 && pass.MaskedRows > 0 ? Math.Sqrt(pass.MlpSquares[depth - 1] / pass.MaskedRows) : null,
            });
        }

        var components = PrincipalComponents.Of(pass.Means[^1]);
        var counts = labels.ToDictionary(label => label, label => texts.Count(text => text.Label == label));
        return new ProbeResults
        {
            Model = model.Path,
            Device = model.Parameters.Device.Description,
            Version = version,
            Data = data,
            Labels = counts,
            Seeds = seeds,
            Majority = (double)counts.Values.Max() / texts.Count,
            LensTokens = pass.Targets,
            MaskedRows = pass.MaskedRows,
            Depths = depths,
            Pca = new PcaResult(components.Explained, [.. texts.Select((text, i) => new PcaPoint(components.Points[i][0], components.Points[i][1], text.Label, text.Place))]),
        };
    }

    /// <summary>Indices of training and test texts: groups in an order that the seed gives, the first four fifths for training.</summary>
    internal static (int[] Train, int[] Test) Split(IReadOnlyList<ProbeText> texts, ulong seed)
    {
        int[] groups = [.. texts.Select(text => text.Group).Distinct()];
        var random = new PhiloxSequence(seed, PhiloxPurpose.Sampling, 0);
        for (int i = groups.Length - 1; i > 0; i--)
        {
            int j = random.Next(i + 1);
            (groups[i], groups[j]) = (groups[j], groups[i]);
        }

        var train = groups.Take(Math.Clamp((int)Math.Round(TrainShare * groups.Length), 1, Math.Max(1, groups.Length - 1))).ToHashSet();
        int[] all = [.. Enumerable.Range(0, texts.Count)];
        var split = (Train: all.Where(i => train.Contains(texts[i].Group)).ToArray(), Test: all.Where(i => !train.Contains(texts[i].Group)).ToArray());
        return split.Test.Length > 0
            ? split
            : throw new InputException(texts[0].Place, "one row is too few to train and test a linear probe", "two rows or more", "give more data");
    }

    private double Accuracy(List<float[]> means, int[] classes, int[] train, int[] test)
    {
        var fitted = LogisticRegression.Fit([.. train.Select(i => means[i])], [.. train.Select(i => classes[i])], labels.Count);
        return fitted.Accuracy([.. test.Select(i => means[i])], [.. test.Select(i => classes[i])]);
    }

    private ProbedSequence Sequence(ProbeText text)
    {
        int[] ids = Cut(text.Text, text.Place);
        if (ids.Length == 0) throw new InputException(text.Place, "the text has no tokens", "at least one token", "remove the row");
        if (!text.IsHarmful) return new ProbedSequence(ids, ids.Length, []);
        int answer = text.Prompt.Length == 0 ? 0 : ids.AsSpan().CommonPrefixLength(model.Encode(text.Prompt, text.Place));
        int[] other = text.Other is null ? [] : Cut(text.Other, text.Place);
        int[] masked = text.Other is null
            ? [.. Enumerable.Range(answer, ids.Length - answer)]
            : [.. Enumerable.Range(0, ids.Length).Where(i => i >= other.Length || ids[i] != other[i])];
        return new ProbedSequence(ids, Math.Max(1, answer), masked);
    }

    private int[] Cut(string text, string place)
    {
        int[] ids = model.Encode(text, place);
        return ids.Length > maxLength ? ids[..maxLength] : ids;
    }
}
