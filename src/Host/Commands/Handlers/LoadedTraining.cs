using RepNoise.Host.Model;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Weights, objective and trainer of a run that is about to begin.</summary>
internal sealed class LoadedTraining : IDisposable
{
    public LoadedTraining(
        ModelSource source, Device device, Func<ModelParameters, ITrainingObjective> makeObjective, TrainingArguments arguments)
    {
        Parameters = new ModelParameters(source.Config, device, ParameterUse.Training, arguments.Trained);
        source.Load(Parameters);
        Objective = makeObjective(Parameters);
        Trainer = new Trainer(Parameters, Objective, arguments);
    }

    public ModelParameters Parameters { get; }

    public ITrainingObjective Objective { get; }

    public Trainer Trainer { get; }

    public void Dispose()
    {
        Trainer.Dispose();
        Objective.Dispose();
        Parameters.Dispose();
    }
}
