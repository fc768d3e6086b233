using System.Text;
using RepNoise.Host.Checkpoints;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace RepNoise.Host.Configuration;

/// <summary>Writes the effective configuration: every setting with its value, so that the file alone repeats the run.</summary>
internal static class RunWriter
{
    /// <summary><paramref name="run"/> as YAML that <see cref="RunConfiguration.Read"/> reads back to an equal run.</summary>
    public static string ToYaml(TrainingRun run)
    {
        using var text = new StringWriter { NewLine = "\n" };
        var emitter = new Emitter(text);
        emitter.Emit(new StreamStart());
        emitter.Emit(new Comment("Written by repnoise; use it again with --config. Paths are relative to the folder the command runs in.", false));
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        emitter.Emit(new MappingStart());
        foreach (var setting in Settings.Of(run.GetType()))
        {
            Emit(emitter, setting, setting.Get(run));
        }

        emitter.Emit(new MappingEnd());
        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
        return text.ToString();
    }

    /// <summary>
    /// Writes <see cref="ToYaml"/> to <c>run.yaml</c> in <paramref name="folder"/>, which must exist. Where the run was resumed is
    /// left out: the file is that of the whole run.
    /// </summary>
    public static void Save(TrainingRun run, string folder) => Durable.Replace(
        Path.Combine(folder, RunConfiguration.FileName),
        Encoding.UTF8.GetBytes(ToYaml(run with { ResumeFromCheckpoint = null, ResumeDespiteChanges = false })));

    private static void Emit(Emitter emitter, Setting setting, IReadOnlyList<string> texts)
    {
        if (texts.Count == 0)
        {
            return;
        }

        emitter.Emit(new Scalar(setting.Name));
        if (!setting.IsList)
        {
            emitter.Emit(Value(setting, texts[0]));
            return;
        }

        emitter.Emit(new SequenceStart(default, default, isImplicit: true, SequenceStyle.Block));
        foreach (var text in texts)
        {
            emitter.Emit(Value(setting, text));
        }

        emitter.Emit(new SequenceEnd());
    }

    /// <summary>Texts are quoted whatever they hold, so none can turn into a null, a number or a comment on the way back.</summary>
    private static Scalar Value(Setting setting, string text) =>
        setting.IsText
            ? new Scalar(default, default, text, ScalarStyle.DoubleQuoted, isPlainImplicit: false, isQuotedImplicit: true)
            : new Scalar(text);
}
