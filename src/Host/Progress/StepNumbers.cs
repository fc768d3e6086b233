using System.Globalization;

namespace RepNoise.Host.Progress;

/// <summary>Every number of a step that depends on its inputs alone, under the names of metrics.jsonl: all but times and memory.</summary>
internal sealed class StepNumbers : IStepObserver
{
    private readonly List<(string Name, double Value)> values = [];

    /// <summary>The step that ran last.</summary>
    public int Step { get; private set; }

    /// <summary>Its numbers, in the order of the record.</summary>
    public IReadOnlyList<(string Name, double Value)> Values => values;

    /// <inheritdoc/>
    public void OnStep(in StepReport report)
    {
        Step = report.Step;
        values.Clear();
        values.Add(("epoch", report.Epoch));
        values.Add(("loss", report.Loss));
        foreach (var term in report.Terms) values.Add((term.Name, term.Value));
        AddList("mmd", report.Mmd);
        AddList("lens_loss", report.LensLoss);
        values.Add(("grad_norm", report.GradNorm));
        values.Add(("learning_rate", report.LearningRate));
        values.Add(("tokens", report.Tokens));
    }

    private void AddList(string name, ReadOnlySpan<double> list)
    {
        for (int i = 0; i < list.Length; i++) values.Add((string.Create(CultureInfo.InvariantCulture, $"{name}.{i}"), list[i]));
    }
}
