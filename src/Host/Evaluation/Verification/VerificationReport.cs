namespace RepNoise.Host.Evaluation.Verification;

/// <summary>One kind of value: how many tensors were compared and the worst of them.</summary>
/// <param name="Kind">Kind as the value files name it: <c>logits</c>, <c>repnoise.grad</c>.</param>
/// <param name="Tensors">Number of tensors compared.</param>
/// <param name="Worst">Name of the worst tensor.</param>
/// <param name="Error">Its error.</param>
/// <param name="Tolerance">The largest error allowed.</param>
public sealed record VerificationRow(string Kind, int Tensors, string Worst, double Error, double Tolerance)
{
    public bool Passed => Error <= Tolerance; // NaN fails

    /// <summary>Share of the tolerance that was used.</summary>
    public double Used => Tolerance > 0 ? Error / Tolerance : Error;
}

/// <summary>Collects comparisons by kind, keeping the worst of each.</summary>
public sealed class VerificationReport
{
    private readonly List<VerificationRow> rows = [];

    /// <summary>Kinds in the order in which they were first compared.</summary>
    public IReadOnlyList<VerificationRow> Rows => rows;

    public bool Passed => rows.Count > 0 && rows.All(r => r.Passed);

    /// <summary>Notes an error of a tensor.</summary>
    public void Add(string kind, string tensor, double error, double tolerance)
    {
        int at = rows.FindIndex(r => r.Kind == kind && r.Tolerance.Equals(tolerance));
        if (at < 0)
        {
            rows.Add(new VerificationRow(kind, 1, tensor, error, tolerance));
            return;
        }

        var row = rows[at] with { Tensors = rows[at].Tensors + 1 };
        bool worse = error > row.Error || (double.IsNaN(error) && !double.IsNaN(row.Error));
        rows[at] = worse ? row with { Worst = tensor, Error = error } : row;
    }

    /// <summary>
    /// This report with the tolerances of a bfloat16 device: of each kind, a multiple of the worst error that the naive loops make
    /// in that format. Rounding every activation to eight bits leaves errors that no bound for float32 could describe.
    /// </summary>
    /// <param name="naive">The same comparisons on device <c>reference:bfloat16</c>.</param>
    public VerificationReport WithBFloat16Tolerances(VerificationReport naive)
    {
        var report = new VerificationReport();
        foreach (var row in rows)
        {
            double error = naive.rows.Find(r => r.Kind == row.Kind && r.Tolerance.Equals(row.Tolerance))?.Error ?? 0;
            bool backward = row.Kind.EndsWith(".grad", StringComparison.Ordinal) || row.Kind.StartsWith("adamw", StringComparison.Ordinal);
            double floor = row.Tolerance == 0 ? Tolerances.BFloat16Tokens : Tolerances.BFloat16Floor;
            double factor = backward ? Tolerances.BFloat16Backward : Tolerances.BFloat16Forward;
            report.rows.Add(row with { Tolerance = Math.Max(floor, factor * error) });
        }

        return report;
    }

    /// <summary>Compares a tensor by relative norm of the difference.</summary>
    public void Compare(string kind, string tensor, ReadOnlySpan<double> actual, ReadOnlySpan<double> expected, double tolerance) =>
        Add(kind, tensor, RelativeError(actual, expected), tolerance);

    /// <summary>norm(a - b) / norm(b), or norm(a - b) where b is zero. NaN and Inf must stand at the same places, else the error is NaN.</summary>
    public static double RelativeError(ReadOnlySpan<double> actual, ReadOnlySpan<double> expected)
    {
        if (actual.Length != expected.Length) return double.NaN;
        double difference = 0, norm = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            double delta = actual[i].Equals(expected[i]) ? 0 : actual[i] - expected[i];
            difference += delta * delta;
            norm += double.IsFinite(expected[i]) ? expected[i] * expected[i] : 0;
        }

        return norm > 0 ? Math.Sqrt(difference / norm) : Math.Sqrt(difference);
    }

    /// <summary>Median of |a - b|.</summary>
    public static double MedianDifference(ReadOnlySpan<double> actual, ReadOnlySpan<double> expected)
    {
        var differences = new double[actual.Length];
        for (int i = 0; i < differences.Length; i++) differences[i] = Math.Abs(actual[i] - expected[i]);
        Array.Sort(differences);
        return differences.Length == 0 ? 0 : differences[differences.Length / 2];
    }

    /// <summary>A table for people: kind, worst tensor, error, tolerance, verdict.</summary>
    public void WriteTo(TextWriter writer)
    {
        int kind = Math.Max(4, rows.Max(r => r.Kind.Length)), worst = Math.Max(12, rows.Max(r => r.Worst.Length));
        writer.WriteLine($"{"kind".PadRight(kind)}  tensors  {"worst tensor".PadRight(worst)}     error  tolerance");
        foreach (var row in rows)
        {
            writer.WriteLine(FormattableString.Invariant(
                $"{row.Kind.PadRight(kind)}  {row.Tensors,7}  {row.Worst.PadRight(worst)}  {row.Error,8:0.0e-00}  {row.Tolerance,9:0.0e-00}  {(row.Passed ? "ok" : "OVER")}"));
        }
    }
}
