using System.Buffers;
using System.Globalization;
using System.Text.Json;
using RepNoise.Host.Checkpoints;

namespace RepNoise.Host.Progress;

/// <summary>
/// Writes <c>metrics.jsonl</c>: one JSON object a step, in the hands of the operating system before the next step begins.
/// Numbers are the shortest text that reads back to the same bits, so two equal runs write equal files but for
/// <c>tokens_per_second</c>, <c>seconds</c> and <c>peak_memory_bytes</c>. JSON has no NaN and no infinity: such a value is null, and
/// <c>non_finite</c> names it. In steady state nothing is allocated.
/// </summary>
public sealed class MetricsWriter : IStepObserver, IDisposable
{
    /// <summary>The file's name in the output folder.</summary>
    public const string FileName = "metrics.jsonl";

    private readonly ArrayBufferWriter<byte> line = new(4096);
    private readonly Utf8JsonWriter json;
    private readonly Stream stream;
    private readonly string? path;
    private readonly List<string> nonFinite = [];

    /// <param name="path">The file; what it held before is replaced. Its folder must exist.</param>
    /// <exception cref="IOException">The file cannot be created.</exception>
    public MetricsWriter(string path)
        : this(path, FileMode.Create)
    {
    }

    private MetricsWriter(string path, FileMode mode)
        : this(new FileStream(path, mode, FileAccess.Write, FileShare.Read, bufferSize: 0)) => this.path = path;

    /// <summary>Goes on after the steps that <paramref name="earlier"/> records, which take the place of what the file held.</summary>
    /// <param name="path">The file.</param>
    /// <param name="earlier">The metrics of a checkpoint.</param>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    public static MetricsWriter Continue(string path, string earlier)
    {
        string beside = path + ".new";
        File.Delete(beside);
        Durable.Copy(earlier, beside);
        File.Move(beside, path, overwrite: true);
        return new MetricsWriter(path, FileMode.Append);
    }

    /// <summary>Copies the steps so far to a new file, flushed to disk.</summary>
    /// <exception cref="IOException">The copy cannot be written.</exception>
    public void CopyTo(string copy) => Durable.Copy(path ?? throw new InvalidOperationException("metrics without a file cannot be copied"), copy);

    internal MetricsWriter(Stream stream)
    {
        this.stream = stream;
        json = new Utf8JsonWriter(line);
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">The disk is full, or the file cannot be written.</exception>
    public void OnStep(in StepReport report)
    {
        line.ResetWrittenCount();
        json.Reset(line);
        nonFinite.Clear();
        json.WriteStartObject();
        json.WriteNumber("step", report.Step);
        Number("epoch", report.Epoch);
        Number("loss", report.Loss);
        foreach (var term in report.Terms)
        {
            Number(term.Name, term.Value);
        }

        Layers("mmd", report.Mmd);
        Layers("lens_loss", report.LensLoss);
        Number("grad_norm", report.GradNorm);
        Number("learning_rate", report.LearningRate);
        json.WriteNumber("tokens", report.Tokens);
        Number("tokens_per_second", report.TokensPerSecond);
        Number("seconds", report.Seconds);
        json.WriteNumber("peak_memory_bytes", report.PeakMemoryBytes);
        NonFinite();
        json.WriteEndObject();
        json.Flush();
        line.GetSpan(1)[0] = (byte)'\n';
        line.Advance(1);
        stream.Write(line.WrittenSpan);
        stream.Flush();
    }

    public void Dispose()
    {
        json.Dispose();
        stream.Dispose();
    }

    private void Number(string name, double value)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumber(name, value);
            return;
        }

        json.WriteNull(name);
        nonFinite.Add(name);
    }

    private void Layers(string name, ReadOnlySpan<double> values)
    {
        if (values.IsEmpty)
        {
            return;
        }

        json.WriteStartArray(name);
        for (var layer = 0; layer < values.Length; layer++)
        {
            if (double.IsFinite(values[layer]))
            {
                json.WriteNumberValue(values[layer]);
                continue;
            }

            json.WriteNullValue();
            nonFinite.Add(string.Create(CultureInfo.InvariantCulture, $"{name}[{layer}]"));
        }

        json.WriteEndArray();
    }

    private void NonFinite()
    {
        if (nonFinite.Count == 0)
        {
            return;
        }

        json.WriteStartArray("non_finite");
        foreach (var name in nonFinite)
        {
            json.WriteStringValue(name);
        }

        json.WriteEndArray();
    }
}
