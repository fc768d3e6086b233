using System.Globalization;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Planning;

/// <summary>A plan in words and numbers, and what to change where it does not fit.</summary>
/// <param name="planner">Plans the run and its variations.</param>
/// <param name="arguments">The run.</param>
/// <param name="device">Where it would run.</param>
/// <param name="examples">Texts or pairs of its data; null where there is none.</param>
public sealed class MemoryReport(MemoryPlanner planner, TrainingArguments arguments, Device device, int? examples)
{
    /// <summary>
    /// What the process holds besides what its device hands out: the runtime, compiled code, host-side lists. Measured as VmHWM less
    /// the plan's peak: 52 to 57 MB in defences and fine-tunings of two sizes on Linux, x64, .NET 10.
    /// </summary>
    private const long RuntimeBytes = 64L << 20;

    /// <summary>No shorter length is proposed: a prompt and an answer should still fit.</summary>
    private const int ShortestLength = 32;

    /// <summary>Writes the plan and, where a budget is given, the largest batch within it.</summary>
    /// <param name="writer">Takes the lines.</param>
    /// <param name="budget">Bytes that a run may take, or null.</param>
    /// <exception cref="InputException">Not even a batch of one is within the budget.</exception>
    public void WriteTo(TextWriter writer, long? budget)
    {
        var plan = planner.Plan(arguments);
        writer.WriteLine();
        foreach (string category in MemoryCategory.All.Where(category => plan.Of(category) > 0)) Row(category, plan.Of(category), "");
        Row("peak", plan.Peak, "");
        Row("runtime", RuntimeBytes, "   apart: the program itself, about");
        writer.WriteLine();
        bool recomputes = arguments.GradientCheckpointing;
        long other = planner.Plan(arguments with { GradientCheckpointing = !recomputes }).Peak;
        writer.WriteLine($"{(recomputes ? "Without" : "With")} gradient_checkpointing the peak is {Human(other)}.");
        TimeEstimate.Write(writer, plan.Work, device, arguments, examples);
        if (budget is { } bytes) WriteLargestBatch(writer, plan, bytes);

        void Row(string name, long count, string note) => writer.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"{name,-13} {count,19:#,0} {Human(count),11}{note}"));
    }

    private static string Human(long bytes) => ModelInspection.HumanBytes(bytes);

    private void WriteLargestBatch(TextWriter writer, MemoryPlan plan, long budget)
    {
        long available = budget - RuntimeBytes;
        int largest = planner.LargestBatch(arguments, available);
        if (largest == 0) throw TooSmall(available, budget);
        long peak = planner.Plan(arguments with { PerDeviceTrainBatchSize = largest }).Peak;
        string more = arguments.GradientCheckpointing ? "" : string.Create(CultureInfo.InvariantCulture,
            $" With gradient_checkpointing it is {planner.LargestBatch(arguments with { GradientCheckpointing = true }, available)}.");
        writer.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"The largest batch in {Human(budget)} is {largest}: peak {Human(peak)} and runtime {Human(RuntimeBytes)}.{more}"));
        if (plan.Peak > available)
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"A batch of {arguments.PerDeviceTrainBatchSize} is {Human(plan.Peak - available)} over; set per_device_train_batch_size to {largest}, and gradient_accumulation_steps to make up for it."));
    }

    private InputException TooSmall(long available, long budget)
    {
        var one = arguments with { PerDeviceTrainBatchSize = 1 };
        var least = planner.Plan(one);
        return new InputException(
            "--memory", $"{Human(budget)} is {Human(least.Peak - available)} less than a batch of 1 needs",
            $"at least {Human(least.Peak + RuntimeBytes)} (peak {Human(least.Peak)} and runtime {Human(RuntimeBytes)})", Remedy(one, least, available));
    }

    /// <summary>Variations of a batch of one, from the mildest on, with what each needs, up to the first that fits.</summary>
    private string Remedy(TrainingArguments one, MemoryPlan least, long available)
    {
        if (least.OfModel > available)
            return $"weights, gradients and moments alone are {Human(least.OfModel)}: take a smaller model or a machine with more memory";
        var tried = new List<string>();
        foreach (var (text, variation) in Variations(one))
        {
            long peak = planner.Plan(variation).Peak;
            if (peak <= available) return $"set {text}, which needs {Human(peak)} and fits";
            tried.Add($"{text} still needs {Human(peak)}");
        }

        return $"take a smaller model or a machine with more memory; {string.Join(", ", tried)}";
    }

    private static IEnumerable<(string Text, TrainingArguments Variation)> Variations(TrainingArguments one)
    {
        var recomputing = one with { GradientCheckpointing = true };
        if (!one.GradientCheckpointing) yield return ("gradient_checkpointing: true", recomputing);
        string with = one.GradientCheckpointing ? "" : " with gradient_checkpointing: true";
        for (int length = one.MaxLength / 2; length >= ShortestLength; length /= 2)
            yield return ($"max_length: {length.ToString(CultureInfo.InvariantCulture)}{with}", recomputing with { MaxLength = length });
    }
}
